"""A user's training loop for the Tinker protocol: tells each step's loss and norm as it has it.

Knows nothing of this project. `python tinker_steps.py URL BASE_MODEL STEPS`
"""

import json
import random
import sys

import tinker
from tinker import types

url, base_model, steps = sys.argv[1:]
service = tinker.ServiceClient(base_url=url)
model = service.create_lora_training_client(base_model=base_model, rank=4, seed=1).result()
chance = random.Random(0)  # noqa: S311 - not for secrets
rows = [[chance.randrange(5, 300) for _ in range(24)] for _ in range(16)]
for number in range(1, int(steps) + 1):
    data = [
        types.Datum(
            model_input=types.ModelInput.from_ints(row[:-1]),
            loss_fn_inputs={"target_tokens": row[1:], "weights": [1.0] * (len(row) - 1)},
        )
        for row in chance.sample(rows, 4)
    ]
    # Both are on their way before either is answered.
    passed = model.forward_backward(data, "cross_entropy")
    stepped = model.optim_step(types.AdamParams(learning_rate=1e-3))
    told = [number, passed.result().metrics["loss:sum"], stepped.result().metrics]
    del told[-1]["step_seconds"]
    if number % 10 == 0:
        told.append(model.save_state(f"step-{number}").result().path.rpartition("/")[2])
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()
