"""STCN-dense in JAX, to time beside `stcn bench step` on the same work: forward, backward, clipping, Adam, in one jit.

    python3 benches/in_jax.py [--channels 256] [--blocks 6] [--batch 20] [--time 200] [--speech] [--conv products] [--separate] [--threads 2]

The sizes are those of the preset `ink`, or `speech`, and the head is a mixture of 20. A convolution is XLA's own, or the sum of two
products, whichever is faster on the work at hand. Prints one line of JSON. The commands of ours are in the book, chapter 10.
"""
import argparse, functools, json, math, os, time

args = argparse.ArgumentParser(description=__doc__.splitlines()[0])
for name, default in (("threads", 2), ("steps", 5), ("batch", 20), ("time", None), ("channels", 256), ("blocks", None)):
    args.add_argument(f"--{name}", type=int, default=default)
args.add_argument("--speech", action="store_true", help="frames of 200 samples in place of ink")
args.add_argument("--conv", choices=("lax", "products"), default="lax")
args.add_argument("--separate", action="store_true", help="filter and gate each by itself")
args = args.parse_args()
args.time, args.blocks = args.time or (40 if args.speech else 200), args.blocks or (5 if args.speech else 6)
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: args.threads])  # XLA takes as many threads as it may use cores

import jax
from jax import lax, numpy as np
from jax.nn import initializers, log_softmax, relu, sigmoid, softplus
from jax.scipy.special import logsumexp

PARTS, REALS = 20, 200 if args.speech else 2
INPUTS, SIZES = (200, (256, 128, 64, 32, 16)) if args.speech else (3, (32, 16, 8, 4, 2))
parameters, keys = [], iter(jax.random.split(jax.random.key(1), 1000))


def weight(*shape):
    """A new parameter, and its bias; gives their place."""
    parameters.append((initializers.glorot_uniform()(next(keys), shape), np.zeros(shape[-1])))
    return len(parameters) - 1


def dense(p, at, x):
    w, b = p[at]
    return x @ w + b


def conv(p, at, dilation, x):
    """Two taps, the earlier one first.   x: (B, T, C)"""
    w, b = p[at]
    if args.conv == "lax":
        return b + lax.conv_general_dilated(
            x, w, (1,), [(dilation, 0)], rhs_dilation=(dilation,), dimension_numbers=("NWC", "WIO", "NWC"))
    past = np.pad(x, ((0, 0), (dilation, 0), (0, 0)))[:, : x.shape[1]]
    return past @ w[0] + x @ w[1] + b


def gated_block(inputs, dilation=1, c=args.channels):
    taps = [weight(2, inputs, c) for _ in range(2)] if args.separate else [weight(2, inputs, 2 * c)]
    mix, project = weight(c, c), weight(inputs, c) if inputs != c else None

    def forward(p, x):
        filter, gate = [conv(p, at, dilation, x) for at in taps] if args.separate else np.split(conv(p, taps[0], dilation, x), 2, -1)
        y = np.tanh(filter) * sigmoid(gate)
        return dense(p, mix, y) + (x if project is None else dense(p, project, x))

    return forward


def layers(*widths):
    all = [weight(i, o) for i, o in zip(widths, widths[1:])]

    def forward(p, x):
        for at in all[:-1]:
            x = relu(dense(p, at, x))
        return dense(p, all[-1], x)

    return forward


def normal_net(inputs, outputs, c=args.channels):
    mean, std = layers(inputs, c, c, outputs), layers(inputs, c, c, outputs)
    return lambda p, x: (mean(p, x), softplus(std(p, x)).clip(1e-3, 5))


def head(c=args.channels):
    mean, std, weights = weight(c, REALS * PARTS), weight(c, REALS * PARTS), weight(c, PARTS)
    pen = None if args.speech else weight(c, 1)

    def forward(p, h, x):
        m, s = (dense(p, at, h).reshape(*h.shape[:2], REALS, PARTS) for at in (mean, std))
        s = softplus(s).clip(1e-3, 50)
        log_n = (-0.5 * ((x[..., :REALS, None] - m) / s) ** 2 - np.log(s) - 0.5 * math.log(2 * math.pi)).sum(-2)
        log_px = logsumexp(log_softmax(dense(p, weights, h)) + log_n, -1)
        if pen is None:
            return log_px
        logit = dense(p, pen, h)[..., 0]
        return log_px + x[..., -1] * logit - softplus(logit)

    return forward


C, LEVELS = args.channels, len(SIZES)
stack = [[gated_block(C if l or k else INPUTS, 2**k) for k in range(args.blocks)] for l in range(LEVELS)]
prior, infer = ([normal_net(C + z, own) for own, z in zip(SIZES, (*SIZES[1:], 0))] for _ in range(2))
output = [gated_block(C if l else sum(SIZES)) for l in range(5)] if args.speech else layers(sum(SIZES), *[C] * 5)
head = head()


def loss(p, x, key):
    h, d = np.pad(x, ((0, 0), (1, 0), (0, 0))), []
    for blocks in stack:
        for block in blocks:
            h = block(p, h)
        d.append(h)
    zs, kl, z = [], 0, x[..., :0]
    noise = jax.random.normal(key, (*x.shape[:2], sum(SIZES)))
    for l in reversed(range(LEVELS)):
        pm, ps = prior[l](p, np.concatenate([d[l][:, :-1], z], -1))
        em, es = infer[l](p, np.concatenate([d[l][:, 1:], z], -1))
        a, b = ps**2, es**2
        var, mean = a * b / (a + b), (em * a + pm * b) / (a + b)
        z = mean + np.sqrt(var) * noise[..., sum(SIZES[:l]) : sum(SIZES[: l + 1])]
        zs.insert(0, z)
        kl += 0.5 * ((var + (mean - pm) ** 2) / a + np.log(a / var) - 1).sum(-1)
    y = np.concatenate(zs, -1)
    if args.speech:
        for block in output:
            y = block(p, y)
    else:
        y = relu(output(p, y))
    return (kl - head(p, y, x)).mean()


@functools.partial(jax.jit, donate_argnums=0)
def update(state, x, key):
    p, m, v, t = state
    value, g = jax.value_and_grad(loss)(p, x, key)
    norm = np.sqrt(sum((g**2).sum() for g in jax.tree.leaves(g)))
    g = jax.tree.map(lambda g: g * np.minimum(1, 1 / (norm + 1e-6)), g)
    m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, g)
    v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, g)
    step = lambda p, m, v: p - 5e-4 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    return (jax.tree.map(step, p, m, v), m, v, t + 1), value


m, v = (jax.tree.map(np.zeros_like, parameters) for _ in range(2))
state, times = (parameters, m, v, 1.0), []
x = jax.random.normal(jax.random.key(0), (args.batch, args.time, INPUTS))
if not args.speech:
    x = x.at[..., 2].set(x[..., 2] > 1)
for step in range(args.steps + 2):
    start = time.perf_counter()
    state, value = jax.block_until_ready(update(state, x, jax.random.key(step, impl="rbg")))
    times.append(1e3 * (time.perf_counter() - start))
times = sorted(times[2:])  # one compiles
print(json.dumps({"model": "stcn-dense", "parameters": sum(w.size for w in jax.tree.leaves(parameters)),
                  "step_ms_median": times[len(times) // 2], "step_ms_min": times[0], "loss": float(value)}))
