"""The `broker` command: what an operator does to a deployed stack, and what a client asks of it.

    broker plan PATH                      what a registry document, or a folder of them, would change
    broker apply PATH                     change it: models, aliases, routes, tenants, sources, issuers, prompts
    broker import litellm CONFIG          a LiteLLM proxy's configuration as a registry document
    broker history KIND ID                the versions of an entry
    broker rollback KIND ID VERSION       give an entry the content of an older version, as a new one
    broker key TENANT --principal NAME    a new API key, shown once
    broker key list [TENANT]              the keys that there are, by their ids
    broker key revoke TENANT ID           have one open nothing any more
    broker secret NAME < file             a provider's key (`providers/…`) or a webhook secret (`tenants/…`)
    broker replay                         tell again what the stream's reader gave up on
    broker doctor                         what keeps the stack from working, and the commands that mend it
    broker teardown                       remove the stack and all that it holds
    broker outputs                        the stack's outputs
    broker submit TEXT --wait             a job, and its answer
    broker get|wait|cancel ID             a job that was submitted
    broker jobs|prompts|models            what there is
    broker files put|list|get|content     files of the key's tenant
    broker batch run FILE                 the rows of a file as one piece of work
    broker document run FILE --recipe ID  a document, and what a recipe makes of it
    broker completion SHELL               a script that completes these words

It uses the AWS credentials and region of the shell, and `--stack` or `BROKER_STACK`; what clients ask goes by
`BROKER_API_KEY`, to `BROKER_URL` or the stack's own address. Where the shell names no account and a stack runs on this
machine (`.local/env`, here or in a folder above), it works on that one, and says so; `--local` asks for it.
"""

from broker.cli.main import main
from broker.cli.stack import ALL_SCOPES, create_key, put_secret, registry_of, stack_outputs, tables_of

__all__ = ["ALL_SCOPES", "create_key", "main", "put_secret", "registry_of", "stack_outputs", "tables_of"]
