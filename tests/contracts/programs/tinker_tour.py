"""A user's program for the Tinker protocol, run by the stock client: prints what it was answered.

Knows nothing of this project. `python tinker_tour.py URL BASE_MODEL`
"""

import io
import json
import sys
import tarfile
import urllib.request

import tinker
import torch
from tinker import types

url, base_model = sys.argv[1:]
told = {}
service = tinker.ServiceClient(base_url=url)


def now(client):
    """Newer clients answer with a future."""
    return client.result() if hasattr(client, "result") else client


def datum(ids, weights=None):
    inputs = {"target_tokens": ids[1:], "weights": weights or [1.0] * (len(ids) - 1)}
    return types.Datum(model_input=types.ModelInput.from_ints(ids[:-1]), loss_fn_inputs=inputs)


def fetch(url):
    with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310
        return answer.read()


def refusal(call):
    try:
        call().result()
    except tinker.RequestFailedError as error:
        return str(error)
    return "no error"


def step(client, data, rate=1e-2):
    passed = client.forward_backward(data, "cross_entropy")
    stepped = client.optim_step(types.AdamParams(learning_rate=rate))
    return passed.result(), stepped.result()


model = now(service.create_lora_training_client(base_model=base_model, rank=4, seed=1))
tokenizer = model.get_tokenizer()
told["info"] = model.get_info().model_data.model_name
rows = [tokenizer.encode(text) for text in ("Who are you? A pirate.", "What is it? A ship.")]
data = [datum(row) for row in rows]

losses, norms = [], []
for _ in range(5):
    passed, stepped = step(model, data)
    losses.append(passed.metrics["loss:sum"])
    norms.append(stepped.metrics["grad_norm"])
told["losses"], told["norms"] = losses, norms
told["lengths"] = [len(out["logprobs"].data) for out in passed.loss_fn_outputs]
told["optim_metrics"] = sorted(stepped.metrics)

# Unweighted tokens have log-probabilities all the same, and no gradient.
masked = datum(rows[0], [0.0] * (len(rows[0]) - 2) + [1.0])
told["masked"] = list(
    model.forward([masked], "cross_entropy").result().loss_fn_outputs[0]["logprobs"].data
)
told["whole"] = list(
    model.forward([data[0]], "cross_entropy").result().loss_fn_outputs[0]["logprobs"].data
)

# Several targets a position: the first column alone counts, as a dense and as a sparse tensor.
wide = torch.tensor([[a, b] for a, b in zip(rows[0][1:], rows[0][:-1], strict=True)])
weights = torch.tensor([[1.0, 0.0]] * (len(rows[0]) - 1))
thin = torch.zeros(len(rows[0]) - 1, 8)
thin[:, 0] = 1.0
for name, targets, weight in (
    ("wide", wide, weights),
    ("sparse", torch.nn.functional.pad(wide[:, :1], (0, 7)), thin),
):
    two = types.Datum(
        model_input=types.ModelInput.from_ints(rows[0][:-1]),
        loss_fn_inputs={
            "target_tokens": types.TensorData.from_torch_sparse(targets),
            "weights": types.TensorData.from_torch_sparse(weight),
        },
    )
    answer = model.forward([two], "cross_entropy").result()
    told[name] = [answer.metrics["loss:sum"], list(answer.loss_fn_outputs[0]["logprobs"].shape)]

# What is refused spends its turn, and nothing else.
told["no_such_loss"] = refusal(lambda: model.forward_backward(data, "gspo"))
told["no_such_token"] = refusal(
    lambda: model.forward_backward([datum([5, 10**6])], "cross_entropy")
)
saved = model.save_state("first").result()
told["path"] = saved.path
told["again"] = refusal(lambda: model.save_state("first"))
told["bad_name"] = refusal(lambda: model.save_state("../first"))

# Both go on from there to the same numbers.
resumed = now(service.create_training_client_from_state_with_optimizer(saved.path))
fresh = now(service.create_training_client_from_state(saved.path))
after = [step(client, data) for client in (model, resumed, fresh)]
told["after"] = [passed.metrics["loss:sum"] for passed, _ in after]
told["steps"] = [stepped.metrics["step"] for _, stepped in after]
told["second"] = [step(client, data)[0].metrics["loss:sum"] for client in (model, resumed, fresh)]
told["loaded"] = model.load_state_with_optimizer(saved.path).result().path
told["after_load"] = step(model, data)[0].metrics["loss:sum"]


# A loss of the client's own has the gradient of the one that it is written after.
def own_loss(data, logprobs):
    weights = [torch.tensor(one.loss_fn_inputs["weights"].data) for one in data]
    total = -sum((p * w).sum() for p, w in zip(logprobs, weights, strict=True))
    return total, {"mine": float(total)}


twin = [
    now(service.create_lora_training_client(base_model=base_model, rank=4, seed=9)) for _ in "ab"
]
theirs = twin[0].forward_backward(data, "cross_entropy").result()
mine = twin[1].forward_backward_custom(data, own_loss).result()
told["custom"] = [theirs.metrics["loss:sum"], mine.metrics["mine"]]
told["custom_norms"] = [
    client.optim_step(types.AdamParams(learning_rate=0.0)).result().metrics["grad_norm"]
    for client in twin
]

# Sampling.
prompt = types.ModelInput.from_ints(rows[0][:4])
named = model.save_weights_for_sampler("s").result()
told["sampler_path"] = named.path
sampler = now(service.create_sampling_client(model_path=named.path))


def sample(count, **settings):
    params = types.SamplingParams(**{"max_tokens": 8, "seed": 5, "stop": [], **settings})
    return sampler.sample(prompt, count, params).result().sequences


greedy = sample(1, temperature=0.0)[0]
told["greedy"] = list(greedy.tokens)
told["three"] = [list(one.tokens) for one in sample(3, temperature=2.0)]
told["three_again"] = [list(one.tokens) for one in sample(3, temperature=2.0)]
told["reasons"] = [
    greedy.stop_reason,
    sample(1, temperature=0.0, stop=[greedy.tokens[2]])[0].stop_reason,
]
text = tokenizer.decode(greedy.tokens[:3])
stopped = sample(1, temperature=0.0, stop=text[-2:])[0]
told["stopped"] = [stopped.stop_reason, list(stopped.tokens)]
told["logprobs"] = sampler.compute_logprobs(types.ModelInput.from_ints(rows[0])).result()
told["trained_logprobs"] = list(
    model.forward([data[0]], "cross_entropy").result().loss_fn_outputs[0]["logprobs"].data
)
scored = sampler.sample(
    prompt,
    1,
    types.SamplingParams(max_tokens=1),
    include_prompt_logprobs=True,
    topk_prompt_logprobs=2,
).result()
told["topk"] = [
    scored.prompt_logprobs,
    [row and [list(cell) for cell in row] for row in scored.topk_prompt_logprobs],
]

# What was sampled is on-policy for the weights that sampled it.
ids = rows[0][:4] + list(greedy.tokens)
zeros = [0.0] * 3
policy = types.Datum(
    model_input=types.ModelInput.from_ints(ids[:-1]),
    loss_fn_inputs={
        "target_tokens": ids[1:],
        "logprobs": zeros + list(greedy.logprobs),
        "advantages": zeros + [1.0] * len(greedy.tokens),
    },
)
told["policy"] = {
    name: model.forward_backward([policy], name).result().metrics["loss:sum"]
    for name in ("importance_sampling", "ppo")
}
unnamed = model.save_weights_and_get_sampling_client()
unnamed = now(unnamed)
told["unnamed"] = list(
    unnamed.sample(prompt, 1, types.SamplingParams(max_tokens=8, temperature=0.0, stop=[]))
    .result()
    .sequences[0]
    .tokens
)

# Copies for other programs: newer clients have a link to each file, older ones an archive.
if hasattr(model, "save_weights_external"):
    exported = model.save_weights_external("peft").result().path
    copier = service.create_rest_client()
    links = copier.get_external_weights_urls(exported).result()
    told["files"] = {name: len(fetch(url)) for name, url in links.urls.items()}
    told["copied"] = copier.copy_weights(saved.path, "anywhere").result()
    again = now(service.create_training_client_from_state_with_optimizer(told["copied"]))
    told["copy_step"] = step(again, data)[1].metrics["step"]
    service.create_rest_client().delete_checkpoint_from_tinker_path(exported).result()
    # As a server may have them asked for: all samples by one poll.
    several = now(service.create_sampling_client(base_model=base_model))
    plain = several.holder.get_client_config()
    several.holder._client_config = plain.model_copy(update={"sample_use_retrieve_futures": True})
    params = types.SamplingParams(max_tokens=4, seed=3, stop=[])
    polled = [several.sample(prompt, 1, params) for _ in range(3)]
    told["polled"] = [list(one.result().sequences[0].tokens) for one in polled]
    several.holder._client_config = plain
    # Any tokens scored in the prompt's places; here its own.
    targets = torch.tensor([[token] for token in rows[0][1:]])
    whole = types.ModelInput.from_ints(rows[0])
    asked = several.sample(
        whole,
        1,
        types.SamplingParams(max_tokens=1),
        include_prompt_logprobs=True,
        target_prompt_logprobs=types.TensorData.from_torch(targets),
    ).result()
    told["targets"] = [
        asked.prompt_logprobs[1:],
        asked.target_prompt_logprobs.to_torch()[:, 0].tolist(),
    ]
    # Alternatives drawn in the same places; greedy ones are each place's likeliest token.
    params = types.SamplingParams(max_tokens=1, temperature=0.0)
    drawn = several.sample(whole, 1, params, topk_prompt_logprobs=1, prompt_alt_tokens_k=2).result()
    told["drawn"] = drawn.prompt_alt_tokens.tokens.to_torch().tolist()
    told["likeliest"] = [[row[0][0]] * 2 for row in drawn.topk_prompt_logprobs[1:]]
else:
    link = service.create_rest_client().get_checkpoint_archive_url_from_tinker_path(saved.path)
    with tarfile.open(fileobj=io.BytesIO(fetch(link.result().url))) as tar:
        told["files"] = {member.name: member.size for member in tar}

# Listing.
rest = service.create_rest_client()
run_id = saved.path.split("/")[2]
told["runs"] = [run.training_run_id for run in rest.list_training_runs().result().training_runs]
told["run_id"] = run_id
told["checkpoints"] = sorted(
    c.checkpoint_id for c in rest.list_checkpoints(run_id).result().checkpoints
)
info = rest.get_weights_info_by_tinker_path(saved.path).result()
told["weights_info"] = [info.base_model, info.lora_rank]
rest.set_checkpoint_ttl_from_tinker_path(named.path, 7200).result()
told["expires"] = [
    c.expires_at is not None
    for c in rest.list_checkpoints(run_id).result().checkpoints
    if c.tinker_path == named.path
]
rest.delete_checkpoint_from_tinker_path(named.path).result()
told["left"] = sorted(c.checkpoint_id for c in rest.list_user_checkpoints().result().checkpoints)
sys.stdout.write(json.dumps(told))
