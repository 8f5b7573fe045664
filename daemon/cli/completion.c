// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/completion.h"

#include "util/macros.h"

#include <string.h>

// Names are asked from the daemon when they are needed; without one there are none.
#define NAMES(verb) "vnrs " verb " -o json 2>/dev/null | sed -n 's/^ *\"name\": \"\\([^\"]*\\)\".*/\\1/p' | sort -u"

static void print_words(FILE *out, const struct vnrs_completion_verb *verbs, const struct option *options)
{
    (void)fputs("    local verbs='", out);
    for (; verbs->name; verbs++)
        (void)fprintf(out, "%s%s", verbs->name, verbs[1].name ? " " : "'\n");
    (void)fputs("    local options='-o -q", out);
    for (; options->name; options++)
        (void)fprintf(out, " --%s", options->name);
    (void)fputs("'\n", out);
}

static void print_bash(FILE *out, const struct vnrs_completion_verb *verbs, const struct option *options)
{
    (void)fputs("_vnrs() {\n    local word=${COMP_WORDS[COMP_CWORD]} verb= i\n", out);
    print_words(out, verbs, options);
    (void)fputs(
        "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
        "        case ${COMP_WORDS[i]} in -*) ;; *) verb=${COMP_WORDS[i]}; break ;; esac\n"
        "    done\n"
        "    COMPREPLY=()\n"
        "    if [[ ${COMP_WORDS[COMP_CWORD - 1]} == -o ]]; then\n"
        "        COMPREPLY=($(compgen -W 'table json yaml tsv' -- \"$word\"))\n"
        "    elif [[ ${COMP_WORDS[COMP_CWORD - 1]} == --format ]]; then\n"
        "        COMPREPLY=($(compgen -W 'mermaid dot svg junit' -- \"$word\"))\n"
        "    elif [[ $word == -* ]]; then\n"
        "        COMPREPLY=($(compgen -W \"$options\" -- \"$word\"))\n"
        "    elif [[ -z $verb ]]; then\n"
        "        COMPREPLY=($(compgen -W \"$verbs\" -- \"$word\"))\n"
        "    else\n"
        "        case $verb in\n"
        "        validate|plan|apply|up|graph|bundle|import) COMPREPLY=($(compgen -f -- \"$word\")) ;;\n"
        "        destroy|down|status|inspect|test)\n"
        "            COMPREPLY=($(compgen -W \"$(" NAMES(
            "list") ")\" -- \"$word\")) ;;\n"
                    "        peer|learned-routes|advertised-routes)\n"
                    "            COMPREPLY=($(compgen -W \"$(" NAMES(
                        "peers") ")\" -- \"$word\")) ;;\n"
                                 "        bgp)\n"
                                 "            if ((i + 1 == COMP_CWORD)); then\n"
                                 "                COMPREPLY=($(compgen -W 'rib clear refresh dump' -- \"$word\"))\n"
                                 "            else\n"
                                 "                COMPREPLY=($(compgen -W \"$(" NAMES(
                                     "peers") ")\" -- \"$word\"))\n"
                                              "            fi ;;\n"
                                              "        completion) COMPREPLY=($(compgen -W 'bash zsh fish' -- "
                                              "\"$word\")) ;;\n"
                                              "        esac\n"
                                              "    fi\n"
                                              "}\n"
                                              "complete -o filenames -F _vnrs vnrs\n",
        out);
}

static void print_fish(FILE *out, const struct vnrs_completion_verb *verbs, const struct option *options)
{
    (void)fputs("function __vnrs_names\n    " NAMES("$argv[1]") "\nend\n", out);
    for (; verbs->name; verbs++)
        (void)fprintf(out, "complete -c vnrs -n __fish_use_subcommand -a %s -d \"%s\"\n", verbs->name, verbs->help);
    (void)fputs("complete -c vnrs -s o -x -a 'table json yaml tsv'\n", out);
    for (; options->name; options++)
        (void)fprintf(out, "complete -c vnrs -l %s%s\n", options->name, options->has_arg ? " -r" : "");
    (void)fputs(
        "complete -c vnrs -f -n '__fish_seen_subcommand_from peer learned-routes advertised-routes' -a \"(__vnrs_names "
        "peers)\"\n"
        "complete -c vnrs -f -n '__fish_seen_subcommand_from destroy status inspect test' -a \"(__vnrs_names list)\"\n",
        out);
}

bool vnrs_completion_print(FILE *out, const char *shell, const struct vnrs_completion_verb *verbs,
                           const struct option *options)
{
    if (strcmp(shell, "zsh") == 0)
        (void)fputs("autoload -U +X bashcompinit && bashcompinit\n", out);
    if (strcmp(shell, "bash") == 0 || strcmp(shell, "zsh") == 0)
        print_bash(out, verbs, options);
    else if (strcmp(shell, "fish") == 0)
        print_fish(out, verbs, options);
    else
        return false;
    return true;
}
