"""A user's program for the OpenAI protocol, run by the stock client: prints what it was answered.

Knows nothing of this project. `python openai_tour.py URL BASE_MODEL ADAPTER TINKER_PATH TOOL`, TOOL
being the schema of a function that the saved model was trained to call.
"""

import json
import os
import sys

import openai

url, base_model, adapter, path, tool = sys.argv[1:]
client = openai.OpenAI(base_url=f"{url}/v1", api_key=os.environ["TINKER_API_KEY"], max_retries=0)
messages = [{"role": "user", "content": "Who are you?"}]
told = {}


def chat(model=base_model, **more):
    settings = {"max_tokens": 8, "temperature": 0, **more}
    return client.chat.completions.create(model=model, messages=messages, **settings)


def refusal(call):
    try:
        call()
    except openai.APIStatusError as error:
        return [type(error).__name__, error.status_code, error.type, error.code, error.message]
    return "no error"


models = [model.id for model in client.models.list()]
told["models"] = models
told["one_model"] = client.models.retrieve(path).id

plain = chat()
choice = plain.choices[0]
told["plain"] = [choice.message.role, choice.message.content, choice.finish_reason]
told["usage"] = plain.usage.model_dump()
chunks = list(chat(stream=True, stream_options={"include_usage": True}))
told["first_delta"] = chunks[0].choices[0].delta.model_dump(exclude_none=True)
told["streamed"] = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
told["last"] = [
    chunks[-2].choices[0].finish_reason,
    chunks[-1].choices,
    chunks[-1].usage.model_dump(),
]
told["by_name"] = {
    name: chat(name).choices[0].message.content for name in (adapter, path, f"{base_model};{path}")
}
told["by_uri"] = chat(extra_body={"adapter_uri": path}).choices[0].message.content
with client.chat.completions.stream(
    model=base_model, messages=messages, max_tokens=8, temperature=0
) as stream:
    told["helper"] = "".join(event.delta for event in stream if event.type == "content.delta")

several = [[c.message.content for c in chat(n=3, seed=7, temperature=2).choices] for _ in "ab"]
told["several"] = several
streamed = {0: "", 1: "", 2: ""}
for chunk in chat(n=3, seed=7, temperature=2, stream=True):
    streamed[chunk.choices[0].index] += chunk.choices[0].delta.content or ""
told["several_streamed"] = list(streamed.values())

text = choice.message.content
stop = text[3:5]
told["stop"] = [
    stop,
    text,
    chat(stop=[stop]).choices[0].message.content,
    chat(stop=stop).choices[0].finish_reason,
]
told["stop_streamed"] = "".join(
    c.choices[0].delta.content or "" for c in chat(stop=stop, stream=True)
)

scored = chat(logprobs=True, top_logprobs=3).choices[0]
told["logprobs"] = [
    [t.token, t.logprob, bytes(t.bytes).decode(), [[o.token, o.logprob] for o in t.top_logprobs]]
    for t in scored.logprobs.content
]
told["parts"] = (
    client.chat.completions.create(
        model=base_model,
        max_tokens=8,
        temperature=0,
        messages=[
            {
                "role": "user",
                "content": [{"type": "text", "text": "Who are "}, {"type": "text", "text": "you?"}],
            }
        ],
    )
    .choices[0]
    .message.content
)

# Functions: called by themselves and by order, whole and streamed, and answered.
tools = [json.loads(tool)]
question = [{"role": "user", "content": "Rain in Paris?"}]


def ask(messages=question, **more):
    settings = {"model": path, "max_tokens": 100, "temperature": 0, "tools": tools, **more}
    return client.chat.completions.create(messages=messages, **settings)


def called(choice):
    calls = [[c.function.name, json.loads(c.function.arguments)] for c in choice.message.tool_calls]
    return [choice.finish_reason, choice.message.content or None, calls]


answer = ask().choices[0]
told["called"] = called(answer)
named = {"type": "function", "function": {"name": "weather"}}
told["had_to_call"] = [called(ask(tool_choice=choice).choices[0]) for choice in ("required", named)]
with client.chat.completions.stream(
    model=path, messages=question, max_tokens=100, temperature=0, tools=tools
) as stream:
    told["call_streamed"] = called(stream.get_final_completion().choices[0])
deltas = [c.choices[0].delta for c in ask(stream=True) if c.choices]
told["call_deltas"] = [
    [one.index, one.function.name, one.function.arguments]
    for delta in deltas
    for one in delta.tool_calls or []
]
uncalled = ask(tool_choice="none", max_tokens=4).choices[0]
told["not_called"] = [uncalled.message.tool_calls, uncalled.finish_reason]
told["cut_call"] = [ask(max_tokens=2).choices[0].finish_reason]
result = {"role": "tool", "tool_call_id": answer.message.tool_calls[0].id, "content": "sunny"}
told["after_call"] = [
    ask([*question, answer.message, result], max_tokens=4).usage.prompt_tokens,
    ask(max_tokens=1).usage.prompt_tokens,
]

# Completions: several prompts and answers, and the harness's way of scoring a text.
done = client.completions.create(
    model=base_model, prompt=["One fish,", "Two"], n=2, max_tokens=4, temperature=0
)
told["completions"] = [[c.index, c.text, c.finish_reason] for c in done.choices]
told["completion_usage"] = done.usage.model_dump()
score = client.completions.create(
    model=base_model, prompt="One fish, two", max_tokens=0, echo=True, logprobs=1
)
logprobs = score.choices[0].logprobs
told["score"] = [
    score.choices[0].text,
    logprobs.tokens,
    logprobs.token_logprobs,
    logprobs.text_offset,
    logprobs.top_logprobs,
]
told["score_usage"] = score.usage.completion_tokens
told["completion_streamed"] = "".join(
    c.choices[0].text
    for c in client.completions.create(
        model=base_model, prompt="One fish,", max_tokens=4, temperature=0, stream=True
    )
)

told["no_model"] = refusal(lambda: chat("nobody"))
told["no_key"] = refusal(client.with_options(api_key="tml-none").models.list)
told["wrong_tool"] = refusal(lambda: chat(tools=[{"type": "function", "function": {"name": "?"}}]))
told["wrong_bias"] = refusal(lambda: chat(logit_bias={"1000000": 1}))
told["form"] = refusal(lambda: chat(response_format={"type": "json_object"}))
told["biased"] = chat(logit_bias={"74": 100}, max_tokens=3).choices[0].message.content
told["penalty"] = refusal(lambda: chat(frequency_penalty=3))
told["penalised"] = chat(
    presence_penalty=2, frequency_penalty=2, extra_body={"min_p": 0.1}, max_tokens=12
).usage.completion_tokens
told["too_hot"] = refusal(lambda: chat(temperature=-1))
told["image"] = refusal(
    lambda: client.chat.completions.create(
        model=base_model,
        messages=[{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}],
    )
)
told["unknown_field"] = chat(extra_body={"no_such_field": 1}).choices[0].message.content
sys.stdout.write(json.dumps(told))
