"""Completion of commands, options and files by the shell: the scripts, and the answers to what they ask."""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from typing import Annotated, Final

import typer

_VARIABLE: Final = "_TICKETFLOW_COMPLETE"
"""In which a script passes its question on; click derives the name from the program's."""


class Shell(StrEnum):
    """A shell that completes."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


DEV_TASKS: Final = ("test", "bench", "torture", "lock")
"""What `./dev` does itself; a test compares them with the script."""

# A checkout's own commands are those of the script `./dev`. The questions go to the environment that it has
# made, never to `./dev` itself: that would set up what is missing, and nobody waits for that on a key.
# TASKS and ANY_TASK stand for DEV_TASKS.
_DEV: Final = {
    Shell.BASH: """
_ticketflow_dev_completion() {
    local program=${1%/dev}/.venv/bin/ticketflow
    COMPREPLY=()
    [ -x "$program" ] || return 0
    if [[ $COMP_CWORD -gt 1 && ${COMP_WORDS[1]} =~ ^(ANY_TASK)$ ]]; then return 0; fi
    _ticketflow_completion "$program"
    if [[ $COMP_CWORD -eq 1 ]]; then COMPREPLY+=( $(compgen -W "TASKS" -- "${COMP_WORDS[1]}") ); fi
}

complete -o default -F _ticketflow_dev_completion ./dev
""",
    Shell.ZSH: """
_ticketflow_dev_completion() {
  local program=${words[1]%/dev}/.venv/bin/ticketflow
  [[ -x $program && ! ( $CURRENT -gt 2 && $words[2] == (ANY_TASK) ) ]] || { _files; return }
  (( CURRENT != 2 )) || compadd -- TASKS
  eval $(env _TYPER_COMPLETE_ARGS="${words[1,$CURRENT]}" _TICKETFLOW_COMPLETE=complete_zsh $program)
}

# A pattern: of a command with a directory zsh looks up the whole path and the bare name, not what was typed.
compdef _ticketflow_dev_completion -p '*/dev'
""",
    Shell.FISH: """
function __ticketflow_dev
    set --local program (string replace --regex 'dev$' .venv/bin/ticketflow -- (commandline -opc)[1])
    test -x "$program"
    and env _TICKETFLOW_COMPLETE=complete_fish _TYPER_COMPLETE_FISH_ACTION=$argv[1] \\
        _TYPER_COMPLETE_ARGS=(commandline -cp) $program
end

complete --path '*/dev' --no-files --arguments "(__ticketflow_dev get-args)" \\
    --condition "__ticketflow_dev is-args"
complete --path '*/dev' --no-files --arguments "TASKS" --condition __fish_is_first_arg
""",
}


def completion(
    shell: Annotated[Shell, typer.Argument(help="The shell that is to complete.")],
) -> None:
    """Print a script that lets a shell complete commands, options and files.

    It does so for ticketflow, and for ./dev in a checkout. To have it always, put the line of your shell into
    the file that it reads at its start: ~/.bashrc, ~/.zshrc (behind compinit), ~/.config/fish/config.fish.
    """
    from typer.completion import get_completion_script  # type: ignore[attr-defined]

    print(get_completion_script(prog_name="ticketflow", complete_var=_VARIABLE, shell=shell))
    print(_DEV[shell].replace("ANY_TASK", "|".join(DEV_TASKS)).replace("TASKS", " ".join(DEV_TASKS)), end="")


def is_question() -> bool:
    """Whether it is a script that asks how a line could go on; then the command is ready to answer it.

    It must be quick. So values on the line are taken as they are: to convert them typer loads pydantic, and
    `--version` would answer, too. And help texts are plain, so that rich is not needed to read them.
    """
    if _VARIABLE not in os.environ:
        return False
    from typer.completion import completion_init  # type: ignore[attr-defined]
    from typer.core import TyperArgument, TyperOption

    sys.modules["rich"] = None  # type: ignore[assignment]  # Python's way to say that it is not there
    completion_init()
    for kind in (TyperArgument, TyperOption):
        kind.process_value = _as_it_is  # type: ignore[assignment, method-assign]
    return True


def _as_it_is(_parameter: object, _context: object, value: object) -> object:
    return value
