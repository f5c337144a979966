"""A provider that answers by a script."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from broker.errors import BrokerError
from broker.providers.wire.base import Answer, Call, OperationStarted

ANSWER = Answer({"text": "Fine."}, input_tokens=10, output_tokens=20)


@dataclass(slots=True)
class FakeProvider:
    """See `broker.providers.wire.base.Provider`; after the script it goes on with `ANSWER`."""

    script: list[Answer | OperationStarted | BaseException] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    checks: list[dict[str, str]] = field(default_factory=list)
    checked: list[Call] = field(default_factory=list)
    stopped: list[dict[str, str]] = field(default_factory=list)
    during: Callable[[], object] = lambda: None
    """What happens elsewhere while the provider works."""
    tasks: frozenset[str] = frozenset({"chat"})

    def invoke(self, call: Call) -> Answer | OperationStarted:
        """See `Provider.invoke`."""
        self.calls.append(call)
        return self._next()

    def check(self, call: Call, operation_id: Mapping[str, str]) -> Answer | OperationStarted:
        """See `Asynchronous.check`."""
        self.checked.append(call)
        self.checks.append(dict(operation_id))
        return self._next()

    def stop(self, call: Call, operation_id: Mapping[str, str]) -> None:
        """See `Stoppable.stop`."""
        self.stopped.append(dict(operation_id))

    def _next(self) -> Answer | OperationStarted:
        self.during()
        answer = self.script.pop(0) if self.script else ANSWER
        if isinstance(answer, BaseException):
            raise answer
        return answer


def failing(kind: type[BrokerError], **facts: object) -> BrokerError:
    """An error of the tree, as a provider raises it."""
    return kind(f"The provider says {kind.__name__}.", **facts)  # type: ignore[arg-type]
