"""Whether oracle and engine agree on a history; the shortest one on which they do not, as a story."""

from collections.abc import Sequence
from dataclasses import replace

from simulator.oracle.lines import alike, tidy
from simulator.oracle.seconds import Line, Oracle
from simulator.oracle.stretches import FAR
from simulator.oracle.terms import HORIZON, Versions
from tests.oracle import engine
from tests.oracle.histories import END, History

Journal = tuple[list[Line], list[tuple[str, str]]]


def expected(history: History) -> Journal:
    """What the oracle says."""
    oracle = Oracle(Versions(history.documents, history.start))
    for event in history.events:
        oracle.send(event)
    oracle.until(END)
    return [tidy(line, HORIZON) for line in oracle.lines], oracle.refused


def found(history: History) -> Journal:
    """What the engine does."""
    lines, refused = engine.run(history.start, history.documents, history.events, END)
    return [tidy(line, HORIZON) for line in lines], refused


def both(history: History) -> tuple[Journal, Journal]:
    """What the oracle says and what the engine does."""
    ours, (lines, refused) = expected(history), found(history)
    return ours, (alike(ours[0], lines), refused)


def disagreement(history: History) -> str | None:
    """The first difference as text; None where they agree."""
    ours, theirs = both(history)
    if ours == theirs:
        return None
    for number in range(max(len(ours[0]), len(theirs[0]))):
        mine, its = ours[0][number : number + 1], theirs[0][number : number + 1]
        if mine != its:
            return f"oracle  {_said(mine)}\nengine  {_said(its)}"
    return f"oracle refuses {ours[1]}\nengine refuses {theirs[1]}"


def shortest(history: History) -> History:
    """Drop events, clocks, versions and words of the policy while the two still disagree."""
    shrunk = True
    while shrunk:
        shrunk = False
        for smaller in _smaller(history):
            if _disagrees(smaller):
                history, shrunk = smaller, True
                break
    return history


def _disagrees(history: History) -> bool:
    return engine.accepted(history.documents) is not None and disagreement(history) is not None


def _smaller(history: History) -> list[History]:
    found = [replace(history, events=_without(history.events, n)) for n in range(len(history.events))]
    for number, document in enumerate(history.documents):
        others = _without(history.documents, number)
        if others:
            found.append(replace(history, documents=others))
        for at in range(len(document["clocks"])):
            clocks = _without(document["clocks"], at)
            if clocks:
                found.append(_with(history, number, {**document, "clocks": list(clocks)}))
            found += [
                _with(history, number, {**document, "clocks": [*clocks[:at], rule, *clocks[at:]]})
                for rule in _plainer(document["clocks"][at])
            ]
    return found


def _plainer(rule: dict) -> list[dict]:
    names = [n for n in ("when", "cancel", "pause", "reopen", "calendar", "warn", "on_breach") if rule.get(n)]
    plainer = [{key: value for key, value in rule.items() if key != name} for name in names]
    for name in ("start", "stop", "pause", "warn", "on_breach"):
        values = rule.get(name, [])
        if len(values) > 1:
            plainer += [{**rule, name: list(_without(values, n))} for n in range(len(values))]
    return plainer


def _with(history: History, number: int, document: dict) -> History:
    documents = (*history.documents[:number], document, *history.documents[number + 1 :])
    return replace(history, documents=documents)


def _without(values: Sequence, number: int) -> tuple:
    return (*values[:number], *values[number + 1 :])


def _number(value: object) -> str:
    if value is None:
        return "-"
    return "far" if value == FAR else f"{float(value):g}"


def _said(lines: Sequence[Line]) -> str:
    if not lines:
        return "nothing more"
    line = lines[0]
    cause = " ".join(str(each) if isinstance(each, str) else _number(each) for each in line.cause)
    text = f"{line.ticket}/{line.seq} at {_number(line.at)} ({cause}) {line.trigger}: "
    text += f"{line.before} -> {line.after}, level {line.level}"
    for c in line.clocks:
        text += (
            f"\n          {c.clock}#{c.cycle} {c.change} {c.threshold or ''} at {_number(c.at)} deadline "
            f"{_number(c.deadline)} elapsed {_number(c.elapsed)} of {_number(c.target)} "
            f"rule {c.rule} {c.policy} found {_number(c.found_at)}"
        )
    return text


def story(history: History) -> str:
    """A history for a person: the policy's clocks, the events, both journals up to the first difference."""
    ours, theirs = both(history)
    text = [f"It begins at {history.start.isoformat()}; instants are seconds after that."]
    for document in history.documents:
        since = document.get("effective_from", "always")
        text.append(f"version {document['version']} from {since}, window {document['reopening_window']}")
        text.append(f"  regions {document['region_calendars']}")
        used = {rule.get("calendar") for rule in document["clocks"]}
        if used - {None, "always"}:
            text += [f"  calendar {name}: {each}" for name, each in document["calendars"].items()]
        text += [f"  rule {number}: {rule}" for number, rule in enumerate(document["clocks"], 1)]
    for e in history.events:
        text.append(f"{e.id}: {e.kind} of {e.ticket}, happened {e.time}, arrived {e.arrival} {dict(e.data)}")
    for number, line in enumerate(ours[0]):
        if theirs[0][number : number + 1] != [line]:
            break
        text.append(f"both    {_said([line])}")
    return "\n".join([*text, disagreement(history) or "no difference"])
