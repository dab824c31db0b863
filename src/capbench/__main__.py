"""Entry point of `python -m capbench [VERB] [Hydra overrides]`; imports nothing heavy."""

from __future__ import annotations

import io
import os
import select
import signal
import sys

from capbench import trust
from capbench.errors import Mistake, nearest

VERBS = {
    "train": "compose an experiment, train it, test it, and leave a run folder",
    "evaluate": "test a trained run on any labelled source",
    "predict": "read images without labels with a trained run",
    "serve": "serve trained runs over HTTP, with a page to try them on",
    "label": "label a folder of images where OCR engines agree",
    "export": "write a trained run as an ONNX graph that needs no torch",
    "compare": "compare runs: a ranked table, and a page that shows where they differ",
    "render": "render captchas into a labelled folder, or one picture of many",
    "bench": "measure speeds as ratios to those of peers",
}

HELP = """\
CapBench: which recogniser reads which captcha, how well, from how many images, at what cost.

usage: python -m capbench [VERB] [SETTING=VALUE ...]

verbs (without one: train)
{verbs}

examples
  python -m capbench +experiment=quickstart            four digits, a few minutes on a laptop
  python -m capbench +experiment=resnet_62             62 symbols, an hour or two on a laptop
  python -m capbench data=csv data.root=DIR alphabet=auto
                                                       your own labelled images
  python -m capbench -m model=cnn,resnet seed=1,2 +experiment=quickstart
                                                       a sweep: four runs
  python -m capbench resume=runs/quickstart/...        resume a run that was stopped

  python -m capbench VERB --help                       the settings of a verb that matter most
  python -m capbench VERB --help-all                   all choices and settings of a verb
  python -m capbench VERB --cfg job                    print the composed settings, run nothing

trust=PACKAGE lets a verb build classes of your own package, here or in a run that names them.
A mistake is reported in one line; CAPBENCH_TRACE=1 shows its traceback."""


def main() -> None:
    """Run the command line; print a Mistake as one line, and exit with the conventional codes."""
    _open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # some terminals cannot encode every character
    try:
        _answer(sys.argv[1:])
        sys.stdout.flush()
    except Mistake as mistake:
        if os.environ.get("CAPBENCH_TRACE") == "1":
            raise
        print(f"capbench: {mistake}", file=sys.stderr)
        sys.exit(2)
    except BrokenPipeError:
        if not _output_is_closed():
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes stdout again at exit
        sys.exit(128 + signal.SIGPIPE)
    except KeyboardInterrupt:
        sys.exit(130)


def _open_closed_streams() -> None:
    """Open closed standard streams on the null device; otherwise a file opened later would get their number."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode))


def _answer(arguments: list[str]) -> None:
    """Print help or the version, or run a verb."""
    if arguments and arguments[0] in ("-h", "--help", "help"):
        width = max(map(len, VERBS)) + 2
        print(HELP.format(verbs="\n".join(f"  {verb:{width}}{what}" for verb, what in VERBS.items())))
        return
    if arguments and arguments[0] == "--version":
        from importlib.metadata import version

        print(version("capbench"))
        return
    verb = "train"
    if arguments and not arguments[0].startswith(("-", "+", "~")) and "=" not in arguments[0]:
        verb, *arguments = arguments
    if verb not in VERBS:
        raise Mistake(f"{verb}: is not a verb; {nearest(verb, VERBS)}")
    packages, arguments = trust.parted(arguments)
    if {"-h", "--help", "--help-all"} & {*arguments}:
        from capbench.cli import help

        help.answer(verb, VERBS[verb], arguments)
        return
    from capbench.cli import verbs  # imports Hydra, which is slow and not needed for the help above

    with trust.trusting_everywhere(packages):
        verbs.main(verb, arguments)


def _output_is_closed() -> bool:
    """Return True if standard output is a pipe to a program that has ended, such as `head`."""
    pipe = select.poll()
    pipe.register(sys.stdout.fileno(), 0)
    return any(event & select.POLLERR for _, event in pipe.poll(0))


if __name__ == "__main__":
    main()
