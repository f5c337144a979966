"""A local stand-in for model providers: it speaks their formats, really answers, and misbehaves on order.

Start it with ``python -m local.model_server --port 0``; it prints ``{"url": "http://127.0.0.1:PORT"}`` when it is
ready and stops on SIGTERM. In a test, use ``with ModelServer() as server: server.url``.

What it serves::

    POST /v1/chat/completions                     OpenAI: text, response_format, forced tool calls
    POST /v1/embeddings                           OpenAI: float and base64, ``dimensions``
    POST /v1/moderations                          OpenAI
    POST /v1/images/generations                   OpenAI: PNG of any size, as base64
    POST /v1/audio/speech                         OpenAI: WAV (a tone for each word, and the text in its comment), pcm
    POST /v1/audio/transcriptions                 OpenAI: json, verbose_json, diarized_json; hears speech from here
    GET  /v1/models                               OpenAI
    POST /v1/messages                             Anthropic (``anthropic-version`` and ``max_tokens`` are required)
    POST /v1beta/models/{model}:generateContent   Gemini (also under /v1)
    POST /v1beta/models/{model}:batchEmbedContents
                                                  Gemini: ``outputDimensionality``
    POST /v1beta/models/{model}:predict           Imagen
    POST /openai/v1/…                             Azure: as OpenAI, but for moderation
    POST /mistral/v1/chat/completions             Mistral
    POST /hf-inference/models/{model}             Hugging Face: text to image
    POST /v2/chat, /v2/embed                      Cohere
    POST /contentsafety/text:analyze              Azure AI Content Safety: four steps of severity, or eight
    POST /contentsafety/text:shieldPrompt         Azure AI Content Safety: attacks in a prompt and documents
    POST /language/translate/v2                   Google Translate: the language's name before the text
    GET  /_calls                                  what was called: model, path, status (null: no answer), at
    DELETE /_calls                                forgets the calls, and the failures counted by ``fail_first``

Every model name is taken. The same input gives the same output, ids included; only the request id differs.
Answers are extractive: summaries, keywords, sentiment, labels, sentences that fit the question, JSON that fits the
schema asked for. Translation is declined. Streaming, and more than one choice, are refused with a 400. A text is
read up to its first 200,000 characters; a request body may have 6 MiB. Images and other parts that are not text are
taken, and neither read nor counted. A chat is refused where the format's service refuses it (``rules``): its tools,
their calls and results, the order of roles, pictures of another type than was said, what a Claude does not take.

It cannot be hung: what a schema asks for is a 400 beyond 4,000,000 characters or 100,000 steps, a 503 after half a
minute, and left undone when the client is gone (``work``).

A token is four characters, rounded up, for the input as a whole (texts, and the schema of a forced tool) and for
the answer. ``max_tokens`` and its like cut the answer at that length.

Keys are not needed, and any is taken, but ``sk-wrong`` (in ``Authorization: Bearer``, ``x-api-key``,
``x-goog-api-key``, ``Ocp-Apim-Subscription-Key`` or ``?key=``) gets a 401.

Misbehaviour is ordered by the header ``X-Misbehave`` or after ``!`` in the model's name, several with a comma:
``small!latency=1,500``. If both are given, both count, and the header wins where they differ.

==============  ====================================================================================================
order           what happens
==============  ====================================================================================================
latency=S       answers after S seconds
hang            no answer until the client leaves, or 120 s have passed; then the connection is closed
cut             the connection is cut midway through the body
badjson         the body is broken JSON, with a 200
rate=N          N calls a second with this model name, and ten seconds' worth at once; what is more gets a 429 that
                says for how long, and replies tell of the limit as OpenAI's do
fail_first=N    the first N calls with this model name, path and body get a 500, then it works
400 401 403     that status with the format's own error body
404 500 503     (the 503 has the format's word for an overloaded model)
429, 429=S      429 with ``Retry-After: S`` (1 second if not said)
context         400: the input is longer than the context window (OpenAI: code ``context_length_exceeded``)
refuse          OpenAI: ``message.refusal`` and ``content_filter``; Anthropic: ``refusal``; Gemini: ``SAFETY``
empty           an answer without content
long=N          an answer of N bytes, whatever the limit of tokens (N is at most 50,000,000)
echo            answers with the user's last message
notschema       a whole answer that does not fit the schema (or is not JSON, where no schema is asked for)
error200        a 200 whose body is an error of the server's
failed200       a 200 whose end is an error, with its usage
busy200 …       a 200 (also 400 and 429) that tells of a limit
tokens413       413: a limit on tokens a minute
limit400        400: the answer may not be as long as was asked for
context413 …    (also 400, 422 and 500) as ``context``, under another status
flagged400 …    (also 403, 498, and a 200) what moderation says of a prompt
held200         a 200 without pictures: they were held back
refused200      a 200 that its model broke off
unpaid          the account has no credit: 402, or Gemini's 403
key403          the signature is nobody's
gone400 …       (also 403 and 404) the model is none, is not allowed, or was retired
failed424       the model failed
timeout408      the model took too long
thinking        a 200 that the limit on tokens cut off in the midst of thinking
full200         a 200 that ended, without text, where the window was full
badcall         a 200 with a malformed tool call: it names a tool that nobody gave, Gemini's is a
                ``MALFORMED_FUNCTION_CALL`` and Bedrock's ``malformed_tool_use``
badcall400      400: OpenAI's, by ``tool_use_failed``
==============  ====================================================================================================

``refuse`` to ``notschema`` are about what a chat model says; of the rest, each service knows some, in its own words
(``odd``); Bedrock is the embedded cloud's. Pictures know ``refuse`` (400: code
``moderation_blocked`` or, of models that are not ``gpt-image``, ``content_policy_violation``) and ``empty``, speech and
transcriptions ``empty``. Where an order has no meaning, or is not in the table, there is a 400. Of several statuses, of
several about what a model says, or of several odd replies, the first that was ordered happens.
"""
