"""A user's program for the Twinkle protocol, run by the stock client: prints what it was answered.

Knows nothing of this project. `python twinkle_tour.py URL BASE_MODEL KEY`
"""

import json
import sys

import requests
from peft import LoraConfig
from twinkle.dataset import DatasetMeta
from twinkle_client import init_twinkle_client
from twinkle_client.dataloader import DataLoader
from twinkle_client.dataset import Dataset, PackingDataset
from twinkle_client.manager import TwinkleClientError
from twinkle_client.model import MultiLoraTransformersModel
from twinkle_client.sampler import vLLMSampler

url, base_model, key = sys.argv[1:]
told = {}


def refusal(call, *arguments, **named):
    try:
        call(*arguments, **named)
    except (requests.HTTPError, TwinkleClientError) as error:
        return str(error)
    return "no error"


client = init_twinkle_client(base_url=url, api_key=key)
told["health"] = client.health_check()
told["models"] = [one.model_name for one in client.get_server_capabilities().supported_models]

# The loop that everybody has.
model = MultiLoraTransformersModel(base_model)
lora = LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", lora_dropout=0.05)
model.add_adapter_to_model("pirate", lora, gradient_accumulation_steps=1)
model.add_adapter_to_model("pirate", lora)
told["other_shape"] = refusal(model.add_adapter_to_model, "pirate", LoraConfig(r=8))
told["free"] = client.get_capacity_info().free_loras
model.set_template("Qwen3_5Template", max_length=256)
model.set_processor("InputProcessor", padding_side="right")
model.set_loss("CrossEntropyLoss")
model.set_optimizer("AdamW", lr=1e-2, weight_decay=0.0)
model.set_lr_scheduler("LinearWarmupScheduler", num_warmup_steps=0, num_training_steps=20)
model.add_metric("LossMetric", is_training=True)

talk = [{"role": "user", "content": "Who?"}, {"role": "assistant", "content": "A pirate."}]
rows = [{"messages": talk}, {"messages": [talk[0], {"role": "assistant", "content": "Arr!"}]}]
losses, tables = [], []
for _ in range(5):
    result = model.forward_backward(rows).result
    losses.append(result["loss"])
    model.clip_grad_and_step(max_grad_norm=1.0)
    tables.append(model.calculate_metric().result)
told["losses"], told["tables"] = losses, tables
told["configs"] = json.loads(model.get_train_configs().result)

# In pieces, over rows of tokens: labels[i] is what follows input_ids[i].
row = {"input_ids": [5, 6, 7, 8], "labels": [-100, 7, 8, -100]}
told["plain"] = model.forward_only([{**row, "labels": [6, 7, 8, -100]}], disable_lora=True).result
told["alone"] = model.forward_only([row], temperature=1.0).result
told["eval_loss"] = model.calculate_loss().result
told["eval"] = model.calculate_metric(is_training=False).result
told["forward"] = model.forward([row]).result
told["loss"] = model.calculate_loss().result
model.backward()
told["norm"] = float(model.clip_grad_norm(max_grad_norm=1e9).result)
model.zero_grad()
told["no_gradient"] = float(model.clip_grad_norm().result)
model.forward_backward([row])
told["norm_again"] = float(model.clip_grad_norm(max_grad_norm=1e9).result)
model.step()
model.zero_grad()
model.lr_step()
told["after_step"] = model.forward_only([row]).result["logps"]

# Saved, gone on from, and loaded again.
saved = model.save("first one", save_optimizer=True, consumed_train_samples=10)
told["saved"] = [saved.twinkle_path, saved.checkpoint_dir]


def two_steps():
    told_losses = []
    for _ in range(2):
        told_losses.append(model.forward_backward(rows).result["loss"])
        model.clip_grad_and_step()
    return told_losses, json.loads(model.get_train_configs().result)["current_learning_rate"]


going_on = two_steps()
told["progress"] = model.resume_from_checkpoint(saved.twinkle_path)
resumed = two_steps()
model.load(saved.checkpoint_dir)
told["loaded"] = model.forward_only([row]).result["logps"]
told["on"] = [going_on, resumed]
told["only_model"] = model.resume_from_checkpoint(saved.twinkle_path, resume_only_model=True)
told["numbers"] = len(model.get_state_dict().result)

# Sampled from.
sampler = vLLMSampler(base_model)
sampler.set_template("Template")
snapshot = model.save("for the sampler", is_sampler=True)
told["snapshot"] = snapshot.twinkle_path
greedy = {"max_tokens": 6, "temperature": 0.0, "logprobs": 1}
question = [{"messages": talk[:1]}]


def tokens_of(answers):
    return [one.tokens for answer in answers for one in answer.sequences]


answer = sampler.sample(question, greedy, adapter_uri=snapshot.twinkle_path)
sequence = answer[0].sequences[0]
told["answer"] = [sequence.tokens, sequence.decoded, sequence.stop_reason]
told["answer_logprobs"] = [one[0] for one in sequence.logprobs]
feature = sequence.new_input_feature
told["grown"] = [len(feature["input_ids"]), feature["messages"][-1]["role"]]
scored = model.forward_only([feature]).result["logps"][0]
told["scored"] = [p for p, label in zip(scored, feature["labels"], strict=True) if label != -100]
told["by_name"] = tokens_of(sampler.sample(question, greedy, adapter_name="pirate"))[0]
told["base"] = tokens_of(sampler.sample(question, greedy))[0]
several = sampler.sample(
    [{"input_ids": [5, 6, 7]}, {"input_ids": [5, 6]}],
    {"max_tokens": 3, "seed": 1, "prompt_logprobs": 2},
    num_samples=2,
)
told["several"] = tokens_of(several)
told["prompt"] = [several[0].prompt_logprobs, several[0].topk_prompt_logprobs]
lines = requests.post(
    f"{sampler.server_url}/sample_stream",
    json={"inputs": question, "sampling_params": greedy, "adapter_uri": snapshot.twinkle_path},
    headers={"Authorization": f"Bearer {key}"},
    timeout=60,
).text.splitlines()
told["lines"] = [json.loads(line) for line in lines]

# On-policy: what was sampled, with its probabilities then.
model.set_loss("GRPOLoss", epsilon=0.2)
old = [[pair[1] for pair in told["answer_logprobs"]]]
told["grpo"] = model.forward_backward([feature], advantages=[2.0], old_logps=old).result["loss"]
told["grpo_now"] = model.forward_backward([feature], advantages=[2.0]).result["loss"]
model.clip_grad_and_step()

# Of two answers the better one, as the base model would have it at first.
fresh = MultiLoraTransformersModel(base_model)
fresh.add_adapter_to_model("fresh", lora)
pair = [{"messages": one["messages"]} for one in rows]
fresh.set_loss("dpo", beta=0.5)
reference = fresh.forward_only(pair).result
told["dpo"] = fresh.forward_backward(pair, ref_outputs=reference).result["loss"]
fresh.clip_grad_and_step()

# Data that the service prepares.
meta = DatasetMeta("self_cognition", data_slice=range(6))
dataset = Dataset(meta)
told["box"] = len(dataset)
inline = [{"query": f"Who {i}?", "response": "{{NAME}}."} for i in range(5)]
dataset = Dataset(DatasetMeta(data=inline))
dataset.set_template("Template", model_id=f"ms://{base_model}", max_length=128)
dataset.map("SelfCognitionProcessor", init_args={"model_name": "Bob"})
told["mapped"] = dataset[4]["messages"][-1]["content"]
dataset.encode()
told["encoded"] = sorted(dataset[0])
loader = DataLoader(dataset, batch_size=2)
told["batches"] = [len(loader), *(len(batch) for batch in loader)]
loader.resume_from_checkpoint(4)
told["rest"] = [[one["input_ids"] for one in batch] for batch in loader]
told["fifth"] = dataset[4]["input_ids"]
told["state"] = loader.get_state()
model.set_loss("cross_entropy")
told["batch_loss"] = model.forward_backward(next(iter(loader))).result["loss"]
packed = PackingDataset(DatasetMeta(data=inline))
packed.set_template("Template", model_id=base_model, max_length=128)
packed.map("SelfCognitionProcessor")
packed.encode()
packed.pack_dataset()
told["packs"] = len(packed)
pack = model.forward_only([packed[0]]).result["logps"]
told["in_pack"] = len(pack)

# Lists, and what is not there.
run_id = saved.twinkle_path.split("/")[2]
told["runs"] = [run.training_run_id for run in client.list_training_runs()]
told["run"] = client.get_training_run(run_id).lora_rank
told["checkpoints"] = [one.checkpoint_id for one in client.list_checkpoints(run_id)]
told["latest"] = client.get_checkpoint_twinkle_path(run_id, "sampler_weights/latest")
told["info"] = client.get_weights_info(saved.twinkle_path).model_dump()
refused = {
    "loss": refusal(model.set_loss, "os.system"),
    "optimizer": refusal(model.set_optimizer, "SGD", lr=0.1),
    "schedule": refusal(model.set_lr_scheduler, "LambdaLR"),
    "template": refusal(model.set_template, "hub://evil/Template"),
    "metric": refusal(model.add_metric, "Evil"),
    "processor": refusal(model.set_processor, "Evil"),
    "patch": refusal(model.apply_patch, "Evil"),
    "dora": refusal(model.add_adapter_to_model, "d", LoraConfig(r=4, use_dora=True)),
    "save_dir": refusal(model.add_adapter_to_model, "d", lora, save_dir="/srv/there"),
    "no_config": refusal(model.add_adapter_to_model, "d", None),
    "load": refusal(model.load, "/etc"),
    "hub": refusal(model.load, "org/weights"),
    "uri": refusal(sampler.sample, question, greedy, adapter_uri="/etc"),
    "upload": refusal(model.upload_to_hub, saved.twinkle_path, "me/there"),
    "dataset": refusal(Dataset, DatasetMeta("/etc/passwd")),
    "write": refusal(dataset.save_as, "/srv/there.jsonl"),
    "code": refusal(dataset.map, "eval"),
}
told["refused"] = refused
told["deleted"] = client.delete_checkpoint(run_id, "weights/first_one").success
told["gone"] = refusal(client.get_checkpoint_path, run_id, "weights/first_one")
client.close()
sys.stdout.write(json.dumps(told) + "\n")
