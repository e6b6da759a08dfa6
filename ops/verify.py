"""`verify`: checks the laws on the topics, with the engine's own renderer."""

from consumers.log import Reader
from consumers.verifier import Verifier
from consumers.verifier_report import Report
from producers.outbox import Outbox
from schemas.topics import Topic, topic_name
from workflow.policy import Policies


def verify(reader: Reader, prefix: str, group: str, policies: Policies) -> Report:
    """Check the laws on the topics with a prefix, as far as the group had committed when this began.

    `policies` must be those that the workers had. Workers may go on meanwhile. Raises LogError where the
    topics cannot be read, UnknownPolicyVersion where a clock runs under a version that is not among them.
    """
    partitions = reader.partitions(topic_name(prefix, Topic.EVENTS))
    return Verifier(reader, prefix, group, policies, Outbox(prefix, partitions, group)).run()


def nothing_committed(reader: Reader, prefix: str, group: str) -> str | None:
    """A warning where there are events and the group has committed none: then `verify` has nothing to check.

    Raises LogError where the topics cannot be read.
    """
    topic = topic_name(prefix, Topic.EVENTS)
    if reader.committed(group, topic) or not any(reader.ends(topic).values()):
        return None
    return (
        f"Group {group} has committed nothing of {topic}, so nothing was checked. "
        "If workers have another group, name it in TICKETFLOW_GROUP_ID."
    )
