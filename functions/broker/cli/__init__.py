"""The `broker` command: what an operator does to a deployed stack.

    broker plan PATH                      what a registry document, or a folder of them, would change
    broker apply PATH                     change it: models, aliases, routes, tenants, sources, issuers, prompts
    broker history KIND ID                the versions of an entry
    broker rollback KIND ID VERSION       give an entry the content of an older version, as a new one
    broker key TENANT --principal NAME    a new API key, shown once
    broker secret NAME < file             a provider's key (`providers/…`) or a webhook secret (`tenants/…`)
    broker replay                         tell again what the stream's reader gave up on
    broker doctor                         what keeps the stack from working, and the commands that mend it
    broker teardown                       remove the stack and all that it holds
    broker outputs                        the stack's outputs

It uses the AWS credentials and region of the shell, and `--stack` or `BROKER_STACK`.
"""

from broker.cli.main import main
from broker.cli.stack import ALL_SCOPES, create_key, put_secret, registry_of, stack_outputs, tables_of

__all__ = ["ALL_SCOPES", "create_key", "main", "put_secret", "registry_of", "stack_outputs", "tables_of"]
