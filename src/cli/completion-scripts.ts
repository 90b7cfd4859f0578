/** The completion scripts: each hands the words typed so far to patctl, which knows what can follow. */

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

/** Instead of words: the shell completes a file name. No name begins like this. */
export const FILES = ':files';

// bash cuts a word at : and =, and wants no more back than the piece under the cursor.
const BASH = `# bash completion of patctl: source <(patctl completion bash)
_patctl() {
  local word piece before='' rest=\${COMP_LINE:0:COMP_POINT} i
  local -a words=()
  for ((i = 0; i <= COMP_CWORD; i++)); do
    piece=\${COMP_WORDS[i]}
    word=\${rest%%[![:space:]]*}
    rest=\${rest#"$word"}
    rest=\${rest#"$piece"}
    if [[ $i -eq 0 || -n $word ]]; then
      before=''
      words+=("$piece")
    else
      before=\${words[\${#words[@]} - 1]}
      words[\${#words[@]} - 1]+=$piece
    fi
  done
  [[ $piece == [:=] ]] && before+=$piece
  COMPREPLY=()
  while IFS= read -r word; do
    if [[ $word == ${FILES} ]]; then
      compopt -o default 2>/dev/null
    else
      COMPREPLY+=("\${word#"$before"}")
    fi
  done < <("\${1/#\\~/$HOME}" completion bash -- "\${words[@]:1}" 2>/dev/null)
}
complete -F _patctl patctl
`;

const ZSH = `#compdef patctl
# zsh completion of patctl: patctl completion zsh > a file _patctl in $fpath, or after compinit:
# source <(patctl completion zsh)
_patctl() {
  local -a found
  found=(\${(f)"$(\${~words[1]} completion zsh -- "\${(@)words[2,CURRENT]}" 2>/dev/null)"})
  if [[ $found[1] == ${FILES} ]]; then _files; else compadd -a found; fi
}
if [[ \${funcstack[1]} == _patctl ]]; then _patctl "$@"; else compdef _patctl patctl; fi
`;

const FISH = `# fish completion of patctl: patctl completion fish > ~/.config/fish/completions/patctl.fish
function __patctl_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l found ($words[1] completion fish -- $words[2..-1] "$current" 2>/dev/null)
    if test "$found[1]" = ${FILES}
        __fish_complete_path "$current"
    else
        printf '%s\\n' $found
    end
end
complete -c patctl -f -a '(__patctl_complete)'
`;

export const SCRIPTS: Record<Shell, string> = { bash: BASH, zsh: ZSH, fish: FISH };
