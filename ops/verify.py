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
