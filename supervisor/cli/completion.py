"""Shell completion for bash, zsh or fish: verbs, options, and the actors of the running tree."""

from __future__ import annotations

import argparse

from supervisor.cli import exits
from supervisor.cli.options import examples
from supervisor.cli.output import write

SHELLS = ("bash", "zsh", "fish")

_BASH = """\
# theater completion for bash
_theater() {{
    local word=${{COMP_WORDS[COMP_CWORD]}} verb=${{COMP_WORDS[1]}}
    if [ "$COMP_CWORD" -eq 1 ]; then
        COMPREPLY=($(compgen -W "{verbs}" -- "$word"))
        return
    fi
    case $word in
        -*) case $verb in
{options}
            esac ;;
        /*) COMPREPLY=($(compgen -W "$(theater completion actors 2>/dev/null)" -- "$word") $(compgen -f -- "$word")) ;;
        *)  COMPREPLY=($(compgen -f -- "$word")) ;;
    esac
}}
complete -o filenames -F _theater theater
"""
_ZSH = """\
#compdef theater
# theater completion for zsh
_theater() {{
    local -a verbs actors
    verbs=({verbs})
    if (( CURRENT == 2 )); then
        _describe verb verbs
        return
    fi
    if [[ $words[CURRENT] == -* ]]; then
        case $words[2] in
{options}
        esac
        return
    fi
    actors=(${{(f)"$(theater completion actors 2>/dev/null)"}})
    compadd -- $actors
    _files
}}
compdef _theater theater
"""
_FISH = """\
# theater completion for fish
complete -c theater -f -n __fish_use_subcommand
{verbs}
{options}
complete -c theater -n 'not __fish_use_subcommand' -a '(theater completion actors 2>/dev/null)'
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    examples(
        parser,
        """\
  theater completion bash > ~/.local/share/bash-completion/completions/theater
  theater completion zsh  > "${fpath[1]}/_theater"
  theater completion fish > ~/.config/fish/completions/theater.fish
""",
    )
    parser.add_argument("shell", choices=(*SHELLS, "actors"), help="the shell; `actors` lists what completes to a path")


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    if args.shell == "actors":
        return _actors()
    from supervisor.cli.main import VERBS

    options = {verb: _options(verb) for verb in VERBS}
    write({"bash": _bash, "zsh": _zsh, "fish": _fish}[args.shell](VERBS, options))
    return exits.OK


def _actors() -> int:
    """Print the paths of the running tree's actors; nothing if none runs."""
    from supervisor.cli.asking import ask_tree
    from supervisor.cli.nodes import workers
    from theater.errors import TheaterError

    try:
        paths = [node["path"] for node in workers(ask_tree(argparse.Namespace(run_dir=None))["root"])]
    except TheaterError:
        return exits.NOT_RUNNING
    write("".join(f"{path}\n" for path in paths))
    return exits.OK


def _options(verb: str) -> list[tuple[str, str]]:
    """The long options of a verb with their help."""
    from supervisor.cli.main import module_of

    parser = argparse.ArgumentParser(prog=verb)
    module_of(verb).add_arguments(parser)
    return [
        (option, action.help or "")
        for action in parser._actions
        if action.help != argparse.SUPPRESS
        for option in action.option_strings
        if option.startswith("--")
    ]


def _bash(verbs: dict[str, str], options: dict[str, list[tuple[str, str]]]) -> str:
    lines = (
        f'            {verb}) COMPREPLY=($(compgen -W "{" ".join(name for name, _ in found)}" -- "$word")) ;;'
        for verb, found in options.items()
    )
    return _BASH.format(verbs=" ".join(verbs), options="\n".join(lines))


def _zsh(verbs: dict[str, str], options: dict[str, list[tuple[str, str]]]) -> str:
    described = " ".join(_quoted(f"{verb}:{what}") for verb, what in verbs.items())
    lines = (
        f"            {verb}) compadd -- {' '.join(name for name, _ in found)} ;;" for verb, found in options.items()
    )
    return _ZSH.format(verbs=described, options="\n".join(lines))


def _fish(verbs: dict[str, str], options: dict[str, list[tuple[str, str]]]) -> str:
    first = (
        f"complete -c theater -n __fish_use_subcommand -a {verb} -d {_quoted(what)}" for verb, what in verbs.items()
    )
    rest = (
        f"complete -c theater -n '__fish_seen_subcommand_from {verb}' -l {name[2:]} -d {_quoted(what)}"
        for verb, found in options.items()
        for name, what in found
    )
    return _FISH.format(verbs="\n".join(first), options="\n".join(rest))


def _quoted(text: str) -> str:
    plain = text.replace("'", "").replace("%", "")
    return f"'{plain}'"
