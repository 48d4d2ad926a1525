import io.airlift.jcodings.specific.NonStrictUTF8Encoding;
import io.airlift.joni.Matcher;
import io.airlift.joni.Option;
import io.airlift.joni.Regex;
import io.airlift.joni.Region;
import io.airlift.joni.Syntax;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Base64;

/** Lines of "pattern TAB text", both base64, in; every match, each with its groups, as base64 or "-" for none, out. */
public class RegexAnswers {
    public static void main(String[] args) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String[] parts = line.split("\t", -1);
            byte[] pattern = Base64.getDecoder().decode(parts[0]);
            byte[] text = Base64.getDecoder().decode(parts[1]);
            System.out.println(matches(pattern, text));
        }
    }

    private static String matches(byte[] pattern, byte[] text) {
        Regex regex;
        try {
            regex = new Regex(pattern, 0, pattern.length, Option.DEFAULT, NonStrictUTF8Encoding.INSTANCE, Syntax.Java);
        } catch (RuntimeException error) {
            return "!";
        }
        StringBuilder out = new StringBuilder("=");
        Matcher matcher = regex.matcher(text);
        int next = 0;
        while (next <= text.length && matcher.search(next, text.length, Option.DEFAULT) >= 0) {
            Region region = matcher.getEagerRegion();
            for (int group = 0; group <= regex.numberOfCaptures(); group++) {
                out.append(group == 0 ? " " : ",").append(part(text, region.beg[group], region.end[group]));
            }
            next = matcher.getEnd() > matcher.getBegin() ? matcher.getEnd() : after(text, matcher.getEnd());
        }
        return out.toString();
    }

    private static String part(byte[] text, int begin, int end) {
        if (begin < 0) {
            return "-";
        }
        return "." + Base64.getEncoder().encodeToString(java.util.Arrays.copyOfRange(text, begin, end));
    }

    private static int after(byte[] text, int place) {
        do {
            place++;
        } while (place < text.length && (text[place] & 0xC0) == 0x80);
        return place;
    }
}
