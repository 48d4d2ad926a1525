"""What the shells read to complete `crosstrail`: click fills in the names, and says what each line that comes back means.

Each asks the program that is being completed, so a development environment's own. Nothing that goes wrong is printed.
"""

from __future__ import annotations

BASH = """\
# bash 4.4 or newer. For every new shell:
#   crosstrail completion bash > ~/.local/share/bash-completion/completions/crosstrail
# where the package bash-completion is not installed, in ~/.bashrc instead:
#   eval "$(crosstrail completion bash)"
%(complete_func)s() {
    local line value written=${COMP_WORDS[COMP_CWORD]} IFS=$'\\n'
    COMPREPLY=()
    while read -r line; do
        value=${line#*,}
        case ${line%%%%,*} in
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
            plain)
                if [[ $value == *[!A-Za-z0-9_.,:@%%+-]* && $written != [\\"\\']* ]]; then printf -v value '%%q' "$value"; fi
                COMPREPLY+=("$value") ;;
        esac
    done < <(env COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD="$COMP_CWORD" %(complete_var)s=bash_complete "$1" 2>/dev/null)
}
complete -o nosort -F %(complete_func)s %(prog_name)s
"""

ZSH = """\
#compdef %(prog_name)s
# For every new shell, into a folder of your fpath, before compinit runs:
#   mkdir -p ~/.zfunc && crosstrail completion zsh > ~/.zfunc/_crosstrail
# and in ~/.zshrc:  fpath=(~/.zfunc $fpath); autoload -Uz compinit; compinit
%(complete_func)s() {
    local -a values described answer
    local kind value about
    answer=("${(@f)$(env COMP_WORDS="${words[*]}" COMP_CWORD=$((CURRENT - 1)) %(complete_var)s=zsh_complete ${words[1]} 2>/dev/null)}")
    for kind value about in "${(@)answer}"; do
        case $kind in
            dir) _path_files -/ ;;
            file) _path_files -f ;;
            plain)
                if [[ $about == _ ]]; then values+=("$value"); else described+=("$value:$about"); fi ;;
        esac
    done
    (( $#described )) && _describe -V values described -U
    (( $#values )) && compadd -U -V values -a values
    return 0
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    %(complete_func)s "$@"
else
    compdef %(complete_func)s %(prog_name)s
fi
"""

FISH = """\
# For every new shell:
#   crosstrail completion fish > ~/.config/fish/completions/crosstrail.fish
function %(complete_func)s
    set -l written (commandline -cp)
    set -l program (string split -m 1 ' ' -- $written)[1]
    for line in (env COMP_WORDS="$written" COMP_CWORD=(commandline -t) %(complete_var)s=fish_complete $program 2>/dev/null)
        set -l parts (string split -m 1 ',' -- $line)
        switch $parts[1]
            case dir
                __fish_complete_directories (commandline -t)
            case file
                __fish_complete_path (commandline -t)
            case plain
                echo $parts[2]
        end
    end
end
complete --no-files --command %(prog_name)s --arguments '(%(complete_func)s)'
"""
