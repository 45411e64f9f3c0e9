"""The one table of verbs, for the magic and the command line alike."""

from __future__ import annotations

import difflib
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import replace

from twinkle_jupyter.errors import InvalidConfigError
from twinkle_jupyter.notebook import (
    chat_verbs,
    doctor,
    enable_magics,
    export_verbs,
    metric_verbs,
    preview_verb,
    record_verbs,
    run_verbs,
    service_verbs,
    share_verbs,
    steer_verbs,
    sweep_verbs,
    template_verb,
)
from twinkle_jupyter.notebook.arguments import HelpAsked, split_line
from twinkle_jupyter.notebook.session import Session, Table
from twinkle_jupyter.notebook.verb import Verb


def _help(session: Session, _: Namespace) -> None:
    rows = [
        (verb.name, verb.summary, group if verb is verbs[0] else "")
        for group, verbs in verbs_by_group().items()
        for verb in verbs
    ]
    note = f"`{session.prefix} VERB --help` shows what a verb takes."
    session.face.table(Table("Verbs", ("verb", "what it does", "about"), rows, note))


def _debug(session: Session, _: Namespace) -> None:
    session.face.text(session.last_traceback or "There was no error of our own making so far.")


def _steering_verbs() -> list[Verb]:
    return [
        Verb("pause", "let a run rest", run_verbs.add_name_argument, run_verbs.pause),
        Verb("resume", "let a paused run go on", run_verbs.add_name_argument, run_verbs.resume),
        Verb(
            "stop-run",
            "end a run; its weights are kept",
            run_verbs.add_stop_arguments,
            run_verbs.stop_run,
        ),
        Verb(
            "set",
            "change settings of a run that goes on",
            steer_verbs.add_set_arguments,
            steer_verbs.set_run,
        ),
        Verb(
            "fork",
            "start a run from a step of another one",
            steer_verbs.add_fork_arguments,
            steer_verbs.fork,
        ),
        Verb(
            "rewind",
            "go on from an earlier step",
            steer_verbs.add_rewind_arguments,
            steer_verbs.rewind,
        ),
        Verb(
            "checkpoint",
            "save what a run has now, and keep it",
            steer_verbs.add_checkpoint_arguments,
            steer_verbs.checkpoint,
        ),
        Verb(
            "checkpoints",
            "list a run's checkpoints",
            steer_verbs.add_checkpoints_arguments,
            steer_verbs.checkpoints,
        ),
        Verb(
            "tree",
            "show which run went on from which",
            steer_verbs.add_tree_arguments,
            steer_verbs.tree,
        ),
    ]


def _sweep_verbs() -> list[Verb]:
    none = service_verbs.no_arguments
    return [
        Verb(
            "sweep",
            "train a grid of settings side by side",
            sweep_verbs.add_sweep_arguments,
            sweep_verbs.sweep,
        ),
        Verb("sweeps", "list all sweeps", none, sweep_verbs.sweeps),
        Verb(
            "prune",
            "end some of a sweep's runs early",
            sweep_verbs.add_prune_arguments,
            sweep_verbs.prune,
        ),
        Verb(
            "extend",
            "add runs to a sweep",
            sweep_verbs.add_extend_arguments,
            sweep_verbs.extend,
        ),
        Verb(
            "stop-sweep",
            "end all runs of a sweep",
            sweep_verbs.add_sweep_name_argument,
            sweep_verbs.stop_sweep,
        ),
    ]


def _export_verbs() -> list[Verb]:
    return [
        Verb(
            "metrics",
            "a run's steps as a table, into a file or a logger",
            metric_verbs.add_metric_arguments,
            metric_verbs.metrics,
        ),
        Verb(
            "record",
            "show what a run depends on, or write it out",
            record_verbs.add_record_arguments,
            record_verbs.record,
        ),
        Verb(
            "export",
            "write an adapter as files that other programs load",
            export_verbs.add_export_arguments,
            export_verbs.export,
        ),
        Verb(
            "push", "send an adapter to a hub", export_verbs.add_push_arguments, export_verbs.push
        ),
        Verb(
            "import",
            "take in an adapter that PEFT made",
            export_verbs.add_import_arguments,
            export_verbs.import_peft,
        ),
    ]


def _asking_verbs() -> list[Verb]:
    return [
        Verb(
            "chat",
            "ask a model, or two side by side",
            chat_verbs.add_chat_arguments,
            chat_verbs.chat,
        ),
        Verb(
            "compare",
            "chat with models side by side",
            chat_verbs.add_compare_arguments,
            chat_verbs.compare,
        ),
        Verb(
            "sample",
            "ask a model several times at once",
            chat_verbs.add_sample_arguments,
            chat_verbs.sample,
        ),
    ]


#: Every verb stands in one of them, in this order.
_GROUPS = {
    "training": "preview template train show runs metrics record",
    "steering": "pause resume stop-run set fork rewind checkpoint checkpoints tree",
    "sweeps": "sweep sweeps prune extend stop-sweep",
    "asking": "chat compare sample",
    "adapters": "adapters export push import delete share unshare download",
    "the service": "status start stop log doctor",
    "Twinkle itself": "help debug enable-magics",
}


def _table() -> dict[str, Verb]:
    none = service_verbs.no_arguments
    verbs = [
        Verb(
            "preview",
            "look at data before it is trained on",
            preview_verb.add_preview_arguments,
            preview_verb.preview,
        ),
        Verb("status", "show the service and its newest runs", none, service_verbs.status),
        Verb("start", "start the service and wait until it is ready", none, service_verbs.start),
        Verb("stop", "end the service; runs go on at its next start", none, service_verbs.stop),
        Verb("train", "train an adapter", run_verbs.add_train_arguments, run_verbs.train),
        Verb(
            "show",
            "show a run, a sweep, or several runs in one plot",
            run_verbs.add_show_arguments,
            sweep_verbs.show,
        ),
        Verb("runs", "list all runs", none, run_verbs.runs),
        Verb(
            "template",
            "show a row as the tokens that a run would learn",
            template_verb.add_template_arguments,
            template_verb.template,
        ),
        Verb(
            "delete",
            "delete an adapter's weights",
            export_verbs.add_delete_arguments,
            export_verbs.delete,
        ),
        Verb(
            "enable-magics",
            "have `%twinkle` in every notebook without loading it",
            enable_magics.add_enable_arguments,
            enable_magics.enable,
        ),
        Verb("log", "show the service's log", service_verbs.add_log_arguments, service_verbs.log),
        Verb("doctor", "look for what is missing", none, doctor.doctor),
        Verb("debug", "show the last traceback", none, _debug),
        Verb("help", "list the verbs", none, _help),
    ]
    every = (
        *verbs,
        *_asking_verbs(),
        *_steering_verbs(),
        *_sweep_verbs(),
        *_export_verbs(),
        *share_verbs.share_verbs(),
    )
    groups = {name: group for group, names in _GROUPS.items() for name in names.split()}
    order = list(groups)
    placed = [replace(verb, group=groups[verb.name]) for verb in every]
    return {verb.name: verb for verb in sorted(placed, key=lambda verb: order.index(verb.name))}


def verbs_by_group() -> dict[str, list[Verb]]:
    """Return the verbs by what they are about, in the order of help."""
    found: dict[str, list[Verb]] = {}
    for verb in VERBS.values():
        found.setdefault(verb.group, []).append(verb)
    return found


VERBS: dict[str, Verb] = _table()


def parse_words(words: Sequence[str], prefix: str = "%twinkle") -> tuple[Verb, Namespace]:
    """Find the verb that the first word names and read the rest; no word is `status`.

    Raises:
        InvalidConfigError: There is no such verb, or its arguments are wrong.
        HelpAsked: `--help` is among the words.
    """
    name, *rest = words or ["status"]
    if name in {"--help", "-h"}:
        name = "help"
    verb = VERBS.get(name)
    if verb is None:
        raise _unknown(name, prefix)
    return verb, verb.parser(prefix).parse(rest)


def parse(line: str) -> tuple[Verb, Namespace]:
    """Read a line of the magic; see `parse_words`."""
    return parse_words(split_line(line))


def run(session: Session, words: Sequence[str]) -> object:
    """Read the words and do what they say; `--help` shows help and does nothing.

    Raises:
        TwinkleError: Whatever the verb raises.
    """
    try:
        verb, arguments = parse_words(words, session.prefix)
    except HelpAsked as asked:
        session.face.text(str(asked))
        return None
    return verb.act(session, arguments)


def _unknown(name: str, prefix: str) -> InvalidConfigError:
    near = difflib.get_close_matches(name, VERBS, 1)
    meant = f": did you mean '{near[0]}'?" if near else "."
    return InvalidConfigError(f"Unknown verb {name!r}{meant}", f"`{prefix} help` lists the verbs.")
