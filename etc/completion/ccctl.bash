# Completion of ccctl for bash: put it into /etc/bash_completion.d or `source` it.
_ccctl()
{
    local IFS=$'\n'
    COMPREPLY=($("${COMP_WORDS[0]}" __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _ccctl ccctl
