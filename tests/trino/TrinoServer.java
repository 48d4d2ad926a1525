import io.trino.plugin.iceberg.IcebergPlugin;
import io.trino.plugin.memory.MemoryPlugin;
import io.trino.testing.DistributedQueryRunner;

import java.io.PrintStream;
import java.util.HashMap;
import java.util.Map;

import static io.trino.testing.TestingSession.testSessionBuilder;

/** One Trino of one process: `TrinoServer PORT CATALOG.property=value...`; it says `up` and ends with its standard input. */
public final class TrinoServer {
    public static void main(String[] arguments) throws Exception {
        PrintStream output = System.out; // Trino's logging puts itself in its place
        Map<String, Map<String, String>> catalogs = new HashMap<>();
        for (int index = 1; index < arguments.length; index++) {
            String[] parts = arguments[index].split("[.=]", 2);
            String[] property = parts[1].split("=", 2);
            catalogs.computeIfAbsent(parts[0], name -> new HashMap<>()).put(property[0], property[1]);
        }
        try (DistributedQueryRunner runner = DistributedQueryRunner.builder(testSessionBuilder().build())
                .setWorkerCount(0)
                .addCoordinatorProperty("http-server.http.port", arguments[0])
                .addCoordinatorProperty("query.max-run-time", "2m")
                .build()) {
            runner.installPlugin(new IcebergPlugin());
            runner.installPlugin(new MemoryPlugin());
            for (Map.Entry<String, Map<String, String>> catalog : catalogs.entrySet()) {
                Map<String, String> properties = catalog.getValue();
                String connector = properties.remove("connector.name");
                runner.createCatalog(catalog.getKey(), connector, properties);
            }
            output.println("up");
            output.flush();
            while (System.in.read() >= 0) {
                // Whoever started it closes its end when it is done, or dies.
            }
        }
        System.exit(0);
    }
}
