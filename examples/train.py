#!/usr/bin/env python3
"""A small, real training that can be stopped and resumed.

A network of one hidden layer learns, by stochastic gradient descent, which
points of the plane lie inside a disc. Plain Python, no packages.

Its checkpoints keep the contract that slurm-relay relies on:

  RESUME_ROOT/<sha1 of "ENTITY/PROJECT/RUN_NAME">/
      resume_state.pt     weights, optimizer, random state, step; the ZIP
                          layout of torch.save, which torch.load reads
      resume_meta.json    last_checkpoint_step, run_id, run_name, run_dir,
                          completed, ...

Both are written to a temporary file, synced and renamed, the state first and
the meta last, so that the meta never promises a state that is not there.
"""

import argparse
import array
import collections
import contextlib
import hashlib
import io
import json
import math
import os
import pickle
import random
import signal
import sys
import time
import types
import zipfile

MIB = 1 << 20
LEARNING_RATE = 0.1
MOMENTUM = 0.9


# --- the model -------------------------------------------------------------

class Network:
    """Two inputs, a hidden layer of tanh, one logit."""

    HIDDEN = 12

    def __init__(self, rng):
        n = self.HIDDEN
        self.w1 = [rng.gauss(0, 1) for _ in range(2 * n)]
        self.b1 = [rng.gauss(0, 1) for _ in range(n)]
        self.w2 = [rng.gauss(0, 1 / math.sqrt(n)) for _ in range(n)]
        self.b2 = [0.0]

    def parameters(self):
        return {"w1": self.w1, "b1": self.b1, "w2": self.w2, "b2": self.b2}

    def loss_and_gradients(self, batch):
        """Mean cross entropy of a batch, and its gradients."""
        grads = {k: [0.0] * len(v) for k, v in self.parameters().items()}
        total = 0.0
        for x, y, label in batch:
            hidden = [math.tanh(self.w1[2 * i] * x + self.w1[2 * i + 1] * y
                                + self.b1[i]) for i in range(self.HIDDEN)]
            logit = self.b2[0] + sum(map(float.__mul__, self.w2, hidden))
            p = 1 / (1 + math.exp(-max(-30.0, min(30.0, logit))))
            total -= math.log(p if label else 1 - p)
            d = (p - label) / len(batch)
            grads["b2"][0] += d
            for i, h in enumerate(hidden):
                grads["w2"][i] += d * h
                dh = d * self.w2[i] * (1 - h * h)
                grads["b1"][i] += dh
                grads["w1"][2 * i] += dh * x
                grads["w1"][2 * i + 1] += dh * y
        return total / len(batch), grads


class Momentum:
    """Stochastic gradient descent with momentum."""

    def __init__(self, parameters, rate=LEARNING_RATE, decay=MOMENTUM):
        self.rate, self.decay = rate, decay
        self.velocity = {k: [0.0] * len(v) for k, v in parameters.items()}

    def step(self, parameters, gradients):
        for name, values in parameters.items():
            velocity = self.velocity[name]
            for i, g in enumerate(gradients[name]):
                velocity[i] = self.decay * velocity[i] - self.rate * g
                values[i] += velocity[i]


def sample_batch(rng, size=16):
    batch = []
    for _ in range(size):
        x, y = rng.uniform(-1, 1), rng.uniform(-1, 1)
        batch.append((x, y, 1 if x * x + y * y < 0.6 else 0))
    return batch


# --- files as torch.save writes them ---------------------------------------

class Storage:
    """What torch calls a storage: numbers without a shape."""

    def __init__(self, values):
        self.values = values


class Tensor:
    """A one-dimensional tensor of doubles."""

    def __init__(self, values):
        self.storage = Storage(array.array("d", values))


def rebuild_tensor(storage, _offset, _size, _stride, *_):
    return Tensor(storage.values)


def torch_names():
    """The names that a pickle of torch.save refers to, for our pickler."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    torch.DoubleStorage = type("DoubleStorage", (), {"__module__": "torch"})

    def _rebuild_tensor_v2(*args):
        return rebuild_tensor(*args)

    _rebuild_tensor_v2.__module__ = "torch._utils"
    _rebuild_tensor_v2.__qualname__ = "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2 = _rebuild_tensor_v2
    torch._utils = utils
    return {"torch": torch, "torch._utils": utils}


@contextlib.contextmanager
def torch_modules(modules):
    """Pickle looks a name up in sys.modules when it writes it."""
    before = {name: sys.modules.get(name) for name in modules}
    sys.modules.update(modules)
    try:
        yield
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


class StatePickler(pickle.Pickler):
    def __init__(self, file, modules):
        super().__init__(file, protocol=2)
        self.modules = modules
        self.storages = []

    def persistent_id(self, obj):
        if not isinstance(obj, Storage):
            return None
        self.storages.append(obj)
        return ("storage", self.modules["torch"].DoubleStorage,
                str(len(self.storages) - 1), "cpu", len(obj.values))

    def reducer_override(self, obj):
        if not isinstance(obj, Tensor):
            return NotImplemented
        n = len(obj.storage.values)
        rebuild = self.modules["torch._utils"]._rebuild_tensor_v2
        return rebuild, (obj.storage, 0, (n,), (1,), False,
                         collections.OrderedDict())


class StateUnpickler(pickle.Unpickler):
    """Accepts the names that StatePickler writes and no others."""

    ALLOWED = {
        ("torch", "DoubleStorage"): None,
        ("torch._utils", "_rebuild_tensor_v2"): rebuild_tensor,
        ("collections", "OrderedDict"): collections.OrderedDict,
    }

    def __init__(self, file, archive):
        super().__init__(file)
        self.archive = archive

    def find_class(self, module, name):
        try:
            return self.ALLOWED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(
                f"{module}.{name} in a state") from None

    def persistent_load(self, pid):
        values = array.array("d")
        values.frombytes(self.archive.read(f"archive/data/{pid[2]}"))
        return Storage(values)


class Padding:
    """Makes a state as large as a real one, with bytes that do not compress
    and that differ from checkpoint to checkpoint."""

    def __init__(self, mib):
        self.mib = mib
        self.block = os.urandom(MIB) if mib else b""

    def write(self, archive, step):
        for i in range(self.mib):
            cut = (step * 7919 + i * 104729) % MIB
            entry = zipfile.ZipInfo(f"archive/data/pad{i}")
            archive.writestr(entry, self.block[cut:] + self.block[:cut])


def write_state(file, state, padding):
    modules = torch_names()
    pickled = io.BytesIO()
    pickler = StatePickler(pickled, modules)
    with torch_modules(modules):
        pickler.dump(state)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        def add(name, data):
            archive.writestr(zipfile.ZipInfo("archive/" + name), data)

        add("data.pkl", pickled.getvalue())
        add("byteorder", sys.byteorder)
        for i, storage in enumerate(pickler.storages):
            add(f"data/{i}", storage.values.tobytes())
        padding.write(archive, state["step"])
        add("version", "3\n")


def read_state(path):
    with zipfile.ZipFile(path) as archive:
        damaged = archive.testzip()
        if damaged:
            raise OSError(f"{path}: {damaged} is damaged")
        pickled = io.BytesIO(archive.read("archive/data.pkl"))
        return StateUnpickler(pickled, archive).load()


# --- resuming --------------------------------------------------------------

class ResumeManager:
    """Finds, reads and writes the checkpoint of one run."""

    def __init__(self, args):
        self.key = f"{args.entity}/{args.project}/{args.run_name}"
        self.directory = os.path.join(
            args.resume_root, hashlib.sha1(self.key.encode()).hexdigest())
        self.state_path = os.path.join(self.directory, "resume_state.pt")
        self.meta_path = os.path.join(self.directory, "resume_meta.json")
        self.in_place = args.in_place
        self.padding = Padding(args.state_mb)
        self.meta = None

    def find(self):
        """The meta of an earlier attempt, or None."""
        try:
            with open(self.meta_path, encoding="utf-8") as file:
                self.meta = json.load(file)
        except FileNotFoundError:
            self.meta = None
        return self.meta

    def begin(self, args):
        run_id = f"{random.SystemRandom().getrandbits(40):010x}"
        name = args.run_name.replace("/", "_")
        self.meta = {
            "entity": args.entity,
            "project": args.project,
            "run_name": args.run_name,
            "run_id": run_id,
            "run_dir": os.path.join(os.path.realpath(args.run_root),
                                    f"{name}-{run_id}"),
            "last_checkpoint_step": 0,
            "completed": False,
            "git": {"commit": "f0e4c2f3c58916ec258f246851bea091d14d4247",
                    "dirty": False},
            "config": {"steps": args.steps, "learning_rate": LEARNING_RATE,
                       "weight_decay": 1e-05, "momentum": MOMENTUM},
        }

    def save(self, state, completed=False):
        os.makedirs(self.directory, exist_ok=True)
        self.write(self.state_path,
                   lambda file: write_state(file, state, self.padding))
        self.meta["last_checkpoint_step"] = state["step"]
        self.meta["completed"] = completed
        self.meta["saved_at"] = time.strftime("%Y-%m-%dT%H:%M:%SZ",
                                              time.gmtime())
        text = json.dumps(self.meta, indent=2) + "\n"
        self.write(self.meta_path, lambda file: file.write(text.encode()))

    def write(self, path, fill):
        target = path if self.in_place else path + ".tmp"
        mode = "r+b" if self.in_place and os.path.exists(path) else "wb"
        with open(target, mode) as file:
            fill(file)
            file.truncate()
            file.flush()
            os.fsync(file.fileno())
        if not self.in_place:
            os.rename(target, path)
            fd = os.open(self.directory, os.O_RDONLY)
            os.fsync(fd)
            os.close(fd)


# --- training --------------------------------------------------------------

class Training:
    def __init__(self, args):
        self.args = args
        self.rng = random.Random(args.seed)
        self.network = Network(self.rng)
        self.optimizer = Momentum(self.network.parameters())
        self.step = 0
        self.loss = math.log(2)

    def state(self):
        def tensors(group):
            return {name: Tensor(values) for name, values in group.items()}

        return {"step": self.step, "loss": self.loss,
                "model": tensors(self.network.parameters()),
                "optimizer": tensors(self.optimizer.velocity),
                "rng": self.rng.getstate()}

    def load(self, state):
        self.step, self.loss = state["step"], state["loss"]
        for name, values in self.network.parameters().items():
            values[:] = state["model"][name].storage.values
        for name, values in self.optimizer.velocity.items():
            values[:] = state["optimizer"][name].storage.values
        self.rng.setstate(state["rng"])

    def advance(self):
        loss, gradients = self.network.loss_and_gradients(
            sample_batch(self.rng))
        self.optimizer.step(self.network.parameters(), gradients)
        self.loss += 0.02 * (loss - self.loss)
        self.step += 1
        time.sleep(self.args.step_time)

    def run(self, resume, run_dir):
        """To the last step, with a checkpoint every so often."""
        args = self.args
        with open(os.path.join(run_dir, "metrics.jsonl"), "a",
                  encoding="utf-8") as metrics:
            while self.step < args.steps:
                self.advance()
                last = self.step == args.steps
                if self.step % args.log_every == 0 or last:
                    say(f"step: {self.step}/{args.steps} "
                        f"loss {self.loss:.4f}")
                    print(json.dumps({"step": self.step, "loss": self.loss,
                                      "time": time.time()}),
                          file=metrics, flush=True)
                if self.step % args.checkpoint_every == 0 and not last:
                    resume.save(self.state())


def say(text):
    print(text, flush=True)


def parse_arguments():
    parser = argparse.ArgumentParser(
        description="A small training that can be stopped and resumed.")
    add = parser.add_argument
    add("--entity", required=True)
    add("--project", required=True)
    add("--run-name", required=True)
    add("--resume-root", default="checkpoints/_resume",
        help="where the checkpoints of all runs are (default %(default)s)")
    add("--run-root", default="checkpoints",
        help="where a new run makes its directory (default %(default)s)")
    add("--steps", type=int, default=1000)
    add("--step-time", type=float, default=0.0, metavar="SECONDS",
        help="waited in every step, for a slower training")
    add("--checkpoint-every", type=int, default=100, metavar="STEPS")
    add("--log-every", type=int, default=10, metavar="STEPS")
    add("--seed", type=int, default=1)
    add("--state-mb", type=int, default=0, metavar="MIB",
        help="makes the state larger by this much")
    faults = parser.add_argument_group("faults, to see what becomes of them")
    add = faults.add_argument
    add("--ignore-resume", action="store_true",
        help="start at step 0 whatever is there")
    add("--in-place", action="store_true",
        help="overwrite the checkpoint instead of renaming a new one")
    add("--ignore-term", action="store_true", help="go on after SIGTERM")
    return parser.parse_args()


def on_term(_signal, _frame):
    # No checkpoint here: what happens without one is the interesting case.
    say("stopped by SIGTERM")
    os._exit(143)


def main():
    args = parse_arguments()
    signal.signal(signal.SIGTERM,
                  signal.SIG_IGN if args.ignore_term else on_term)
    resume = ResumeManager(args)
    training = Training(args)
    say(f"run: {resume.key}")
    resuming = not args.ignore_resume and resume.find()
    if not resuming:
        resume.begin(args)
    elif resume.meta.get("completed"):
        say("this run is complete")
        return
    # On another machine this is where a run_dir that was not adapted fails.
    run_dir = resume.meta["run_dir"]
    os.makedirs(run_dir, exist_ok=True)
    if resuming:
        training.load(read_state(resume.state_path))
        say(f"Resuming from step {training.step}")
    else:
        say("Starting at step 0")
    training.run(resume, run_dir)
    with open(os.path.join(run_dir, "summary.json"), "w",
              encoding="utf-8") as file:
        json.dump({"ok": True, "steps": training.step,
                   "loss": training.loss}, file)
        file.write("\n")
    resume.save(training.state(), completed=True)
    say(f"done: step {training.step} loss {training.loss:.4f}")


if __name__ == "__main__":
    main()
