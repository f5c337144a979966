"""What SAM makes of the template, once packed as SAM CLI packs it."""

import json
import re
from functools import cache
from typing import Any

import pytest
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

from tests.contract.stack import template


@cache
def translated() -> dict[str, Any]:
    """Resources of CloudFormation's own types alone; conditions and parameters as they are."""
    text = re.sub(r'("(?:Code|Content|Definition)Uri": )"[^"]+"', r'\1"s3://bucket/key"', json.dumps(template()))
    packed = json.loads(text) | {"Transform": "AWS::Serverless-2016-10-31"}
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_DEFAULT_REGION", "us-east-1")
        made: dict[str, Any] = Translator({}, Parser()).translate(packed, {})
    return made
