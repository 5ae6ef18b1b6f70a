"""Every model and head a second time, in PyTorch and f64, written from the papers and from nothing in `src`.

    python tests/oracle/make_golden.py       # wants torch, numpy, safetensors; writes tests/oracle/golden

writes one pass of each, which `tests/oracle/mod.rs` compares with the crate's, tensor by tensor and by name.
To be as plain as can be, a model here sees one sequence at a time: no batch, no mask, no padding. Whatever is
random is a function of its name; the latents' noise is that of `stcn::noise`, made a second time too.

Inputs and parameters are f32 numbers; all else is computed in f64, and rounded to f32 where it is written.
Shapes: x (T, D), a weight (in, out), a kernel (K, in, out) whose last tap is the present.
"""

import hashlib
import json
import math
import pathlib
import struct
import zlib
from statistics import NormalDist
from types import SimpleNamespace

import numpy
import torch
from safetensors.torch import save_file
from torch import cat, exp, log, logsumexp, relu, sigmoid, sqrt, stack, tanh, zeros

torch.set_default_dtype(torch.float64)

SEED, STEP = 1, 7  # of the latents' noise
SAMPLES, LENGTHS, T = [3, 8], [5, 3], 5  # a batch of two
KL_WEIGHT = 0.7


# ── Noise by address ─────────────────────────────────────────────────────────────────────────────────────────

def chacha8(key, stream, block, count):
    """So many words of a stream of ChaCha with eight rounds, from the given block of 16 words on (Bernstein 2008)."""
    mask = 0xFFFFFFFF
    columns = [(i, 4 + i, 8 + i, 12 + i) for i in range(4)]
    diagonals = [(i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4) for i in range(4)]
    words = []
    while len(words) < count:
        start = struct.unpack("<16I", b"expand 32-byte k" + key + struct.pack("<2Q", block, stream))
        s = list(start)
        for a, b, c, d in 4 * (columns + diagonals):
            for x, y, z, n in (a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7):
                s[x] = (s[x] + s[y]) & mask
                s[z] ^= s[x]
                s[z] = (s[z] << n | s[z] >> 32 - n) & mask
        words += [(a + b) & mask for a, b in zip(s, start)]
        block += 1
    return words[:count]


def normals(purpose, sample, steps, channels):
    """One word a number, word 2³² · sample the first, through the quantile: Φ⁻¹((w + ½)/2³²)."""
    key = hashlib.sha256(b"stcn noise 1\0" + struct.pack("<Q", SEED) + b"train\0" + purpose.encode()).digest()
    words = chacha8(key, STEP, sample * 2**32 // 16, steps * channels)
    return rounded(torch.tensor([NormalDist().inv_cdf((w + 0.5) / 2**32) for w in words])).reshape(steps, channels)


def rounded(x):
    return x.to(torch.float32).to(torch.float64)


# ── Parameters, and one pass of one sequence ─────────────────────────────────────────────────────────────────

class Parameters(dict):
    """Every parameter by its path, made where a layer first asks for it."""

    def __init__(self, case, biases):
        self.case, self.biases = case, biases

    def __call__(self, path, *shape, bias={}):
        if path not in self:
            random = numpy.random.RandomState(zlib.crc32(f"{self.case} {path}".encode()))
            scale = 0.5 if len(shape) == 1 else math.prod(shape[:-1]) ** -0.5
            value = random.standard_normal(shape) * scale
            for i, extreme in {**bias, **self.biases.get(path, {})}.items():
                value[i] = extreme
            self[path] = rounded(torch.tensor(value)).requires_grad_()
        assert self[path].shape == shape, path
        return self[path]


class Pass:
    """A sequence x on its way through a model: config c, parameters p, and by name all that is seen on the way."""

    def __init__(self, c, p, x, sample):
        self.c, self.p, self.x, self.sample, self.seen = c, p, x, sample, {}
        self.paid, self.added = 0, 0  # Σ_l KL_l, and what some papers add to the objective

    def see(self, name, value):
        self.seen[name] = value
        return value

    def noise(self, name, channels):
        return self.see(f"noise.{name}", normals(name, self.sample, len(self.x), channels))

    def see_latent(self, l, q, p, z):
        """What is paid for z^l: KL(q ‖ p), or that of the draw alone where the objective is one of weights."""
        for name, normal in ("p", p), ("q", q):
            self.see(f"value.{name}.{l}.mean", normal.mean), self.see(f"value.{name}.{l}.std", normal.std)
        self.see(f"value.z.{l}", z)
        kl = divergence(q, p) if self.c.objective == "elbo" else log_prob(z, q) - log_prob(z, p)
        self.paid = self.paid + self.see(f"value.kl.{l}", kl)

    def see_added(self, name, value):
        self.added = self.added + self.see(f"value.{name}", value)

    def draw(self, name, q):
        """z = μ + σ ⊙ ε"""
        return self.see(f"value.{name}", q.mean + q.std * self.noise(name, q.mean.shape[1]))


# ── Layers ───────────────────────────────────────────────────────────────────────────────────────────────────

def linear(s, path, x, n, bias={}):
    return x @ s.p(f"{path}.weight", x.shape[-1], n) + s.p(f"{path}.bias", n, bias=bias)


def mlp(s, path, x, n, layers, act=relu):
    for i in range(1, layers + 1):
        x = act(linear(s, f"{path}.{i}", x, n))
    return x


def conv(s, path, x, n, dilation, taps=2):
    """y_t = b + Σⱼ x_{t−(K−1−j)δ} Wⱼ"""
    w, b = s.p(f"{path}.weight", taps, x.shape[1], n), s.p(f"{path}.bias", n)
    return b + sum(before(x, (taps - 1 - j) * dilation) @ w[j] for j in range(taps))


def before(x, n=1):
    """x_{t−n}, zeros before the first step."""
    return cat([zeros(n, x.shape[1]), x])[:len(x)]


def backwards(run, x):
    """`run` from the last step to the first."""
    return run(x.flip(0)).flip(0)


def softplus(a):
    return torch.logaddexp(a, torch.tensor(0.))


def lrelu3(a):
    return torch.where(a > 0, a, a / 3).clip(-3, 3)


def gated_block(s, path, x, n, dilation, taps=2):
    """u = W(tanh(W_f ∗ x) ⊙ σ(W_g ∗ x)), y = u + x"""
    unit = tanh(conv(s, f"{path}.filter", x, n, dilation, taps)) * sigmoid(conv(s, f"{path}.gate", x, n, dilation, taps))
    u = linear(s, f"{path}.mix", unit, n)
    return u, u + (x if x.shape[1] == n else linear(s, f"{path}.project", x, n))


def lstm_step(s, path, x, state):
    """Columns i, f, g, o."""
    h, c = state
    i, f, g, o = (linear(s, f"{path}.input", x, 4 * len(h)) + h @ s.p(f"{path}.recurrent", len(h), 4 * len(h))).split(len(h))
    c = sigmoid(f) * c + sigmoid(i) * tanh(g)
    return sigmoid(o) * tanh(c), c


def lstm(s, path, x, units):
    state, hs = (zeros(units), zeros(units)), []
    for x_t in x:
        state = lstm_step(s, path, x_t, state)
        hs.append(state[0])
    return stack(hs)


def gru(s, path, x, units):
    """Columns r, u, c; the reset gate after the product, u on the new value."""
    h, hs = zeros(units), []
    for x_t in x:
        xr, xu, xc = linear(s, f"{path}.input", x_t, 3 * units).split(units)
        hr, hu, hc = (h @ s.p(f"{path}.recurrent", units, 3 * units)).split(units)
        u = sigmoid(xu + hu)
        h = (1 - u) * h + u * tanh(xc + sigmoid(xr + hr) * hc)
        hs.append(h)
    return stack(hs)


# ── Distributions ────────────────────────────────────────────────────────────────────────────────────────────

def normal(mean, std):
    return SimpleNamespace(mean=mean, std=std)


def of_steps(normals):
    return normal(stack([n.mean for n in normals]), stack([n.std for n in normals]))


def log_normal(x, mean, std):
    return -0.5 * math.log(2 * math.pi) - log(std) - 0.5 * ((x - mean) / std) ** 2


def log_prob(x, q):
    return log_normal(x, q.mean, q.std).sum(-1)


def divergence(q, p):
    """KL(q ‖ p)"""
    return (log(p.std) - log(q.std) + (q.std**2 + (q.mean - p.mean) ** 2) / (2 * p.std**2) - 0.5).sum(-1)


def extreme(s, path, at=0):
    """A bias that puts clips to work: priors at their widest, posteriors all but certain."""
    return {} if s.c.mild else {at: -12 if path.startswith("infer") else 12}


def normal_net(s, path, x, n):
    """STCN: two nets that share nothing."""
    c = s.c
    net = lambda part, bias: linear(s, f"{path}.{part}.{c.net_layers + 1}", mlp(s, f"{path}.{part}", x, c.hidden, c.net_layers), n, bias)
    return normal(net("mean", {}), softplus(net("std", extreme(s, path))).clip(1e-3, 5))


def normal_layers(s, path, x, n):
    """VRNN: layers that mean and spread share."""
    h = mlp(s, path, x, s.c.hidden, s.c.layers)
    return normal(linear(s, f"{path}.mean", h, n), softplus(linear(s, f"{path}.std", h, n, extreme(s, path))) + 1e-4)


def log_var_layers(s, path, x, n):
    """Z-forcing: one layer that mean and log-variance share."""
    h = lrelu3(linear(s, f"{path}.1", x, s.c.hidden))
    log_var = linear(s, f"{path}.log_var", h, n, extreme(s, path)).clip(-8, 8)
    return normal(linear(s, f"{path}.mean", h, n), exp(log_var / 2))


def observed(s, h, x, path="head", kind=None):
    """ln p(x_t | h_t): the real channels by `kind`, those of 0 and 1 by their logits."""
    c, kind = s.c, kind or s.c.head
    bits = {"ink": 1, "speech": 0, "music": x.shape[1]}[c.task]
    D, M = x.shape[1] - bits, c.mixtures if "gmm" in kind else 1
    if kind == "ar":
        return one_by_one(s, h, x, path, D)
    see = lambda name, value: s.see(f"value.{path}.{name}", value)
    floor = lambda log_p, least: log_p.clip(math.log(least)) if c.floors == "as-released" else log_p
    total = 0
    if D > 0:
        wide = {} if c.mild else {0: 60}
        mean = see("mean", linear(s, f"{path}.mean", h, D * M)).reshape(-1, D, M)
        std = see("std", softplus(linear(s, f"{path}.std", h, D * M, wide)).clip(1e-3, 50)).reshape(-1, D, M)
        log_pi = torch.zeros(1)
        if "gmm" in kind:
            log_pi = floor(see("logits", linear(s, f"{path}.weight", h, M)).log_softmax(-1), 1e-6)
        real = x[:, :D, None]
        log_n = log_normal(real, mean, std).sum(1)
        if kind == "bigmm":  # Graves 2013, eqs. 24 and 25
            rho = see("rho", (1 - 1e-4) * tanh(linear(s, f"{path}.rho", h, M)))
            u, v = ((real - mean) / std).unbind(1)
            quadratic = u**2 + v**2 - 2 * rho * u * v
            log_n = -log(2 * math.pi * std[:, 0] * std[:, 1] * sqrt(1 - rho**2)) - quadratic / (2 * (1 - rho**2))
        total = logsumexp(log_pi + log_n, -1)
    if bits > 0:
        e = x[:, D:]
        l = see("bits", linear(s, f"{path}.pen", h, bits, {} if c.mild else {0: 14}))
        log_on, log_off = floor(-softplus(-l), 1e-5), floor(-softplus(l), 1e-5)  # ln θ, ln (1 − θ)
        total = total + (e * log_on + (1 - e) * log_off).sum(-1)
    return total


def one_by_one(s, h, x, path, D):
    """Germain et al. 2015: each channel given those before it in the order, by what the masks leave of the sums."""
    c, n, units, M = s.c, x.shape[1], h.shape[1], s.c.mixtures
    floor = lambda log_p, least: log_p.clip(math.log(least)) if c.floors == "as-released" else log_p
    order, outputs = [*range(D, n), *range(D)], 3 * D * M + n - D
    wide = {} if c.mild else {**({2 * D * M: 60} if D else {}), **({3 * D * M: 14} if n > D else {})}
    a, first = linear(s, f"{path}.hidden", h, units), linear(s, f"{path}.output", h, outputs, wide)
    w, v = s.p(f"{path}.masked_hidden.weight", n, units), s.p(f"{path}.masked_output.weight", n + units, outputs)
    sees = lambda j: order[:1 + j * (n - 1) // units]
    unit = [tanh(a[:, j] + sum(x[:, i] * w[i, j] for i in sees(j))) for j in range(units)]
    columns, total = [None] * outputs, 0
    for place, channel in enumerate(order):
        mine = [k * D * M + channel * M + i for k in range(3) for i in range(M)] if channel < D else [3 * D * M + channel - D]
        known = [x[:, i, None] * v[i, mine] for i in order[:place]]
        known += [unit[j][:, None] * v[n + j, mine] for j in range(units) if len(sees(j)) <= place]
        y = first[:, mine] + sum(known)
        if channel < D:
            log_pi, mean, std = y[:, :M].log_softmax(-1), y[:, M:2 * M], softplus(y[:, 2 * M:]).clip(1e-3, 50)
            total = total + logsumexp(floor(log_pi, 1e-6) + log_normal(x[:, channel, None], mean, std), -1)
            y = cat([y[:, :2 * M], std], -1)
        else:
            log_on, log_off = floor(-softplus(-y[:, 0]), 1e-5), floor(-softplus(y[:, 0]), 1e-5)
            total = total + x[:, channel] * log_on + (1 - x[:, channel]) * log_off
        for i, column in enumerate(mine):
            columns[column] = y[:, i]
    for i, name in enumerate(["logits", "mean", "std"] if D else []):
        s.see(f"value.{path}.{name}", stack(columns[i * D * M:(i + 1) * D * M], -1))
    if n > D:
        s.see(f"value.{path}.bits", stack(columns[3 * D * M:], -1))
    return total


# ── Models: each sees the names of what the objective is made of, `log_px`, `kl.l`, auxiliary terms ──────────

def stcn(s):
    """Aksan & Hilliges 2019, eqs. 2 to 17; with LSTM cells for blocks, LadderRNN."""
    c, levels, dense = s.c, len(s.c.latents), s.c.model.endswith("dense")
    h, d = cat([zeros(1, s.x.shape[1]), s.x]), []  # s_0 = 0, s_t = x_t
    for i in range(levels * c.blocks):
        if c.model.startswith("ladder"):
            h = lstm(s, f"lstm.{i + 1}", h, c.units)
        else:
            _, h = gated_block(s, f"tcn.{i + 1}", h, c.units, 2 ** (i % c.blocks), c.kernel)
        if (i + 1) % c.blocks == 0:
            d.append(s.see(f"value.d.{len(d) + 1}", h))

    a = b = zeros(len(s.x), 0)  # z^{l+1}, as the prior and as the posterior see it
    y = []
    for l in range(levels, 0, -1):
        p = normal_net(s, f"prior.{l}", cat([d[l - 1][:-1], a], -1), c.latents[l - 1])  # eq. 8
        e = normal_net(s, f"infer.{l}", cat([d[l - 1][1:], b], -1), c.latents[l - 1])  # eq. 10
        variance = 1 / (e.std**-2 + p.std**-2)  # eq. 11
        q = normal(variance * (e.mean / e.std**2 + p.mean / p.std**2),
                   sqrt(variance) if c.precision == "product" else variance)
        a = b = z = s.draw(f"z.{l}", q)
        if c.draws == "fresh":
            b, z = s.draw(f"z.{l}.posterior", q), s.draw(f"z.{l}.output", q)
        y.insert(0, z)
        s.see_latent(l, q, p, a)

    y = cat(y, -1) if dense else y[0]
    width = c.embed if c.model.startswith("ladder") else c.units
    if c.decoder == "pointwise":
        y = mlp(s, "output", y, width, c.layers)
    else:
        for i in range(c.layers):
            _, y = gated_block(s, f"output.{i + 1}", y, width, 1)
    s.see("value.log_px", observed(s, y, s.x))  # eq. 9


def wavenet(s):
    """van den Oord et al. 2016, as Aksan & Hilliges use it."""
    c, levels = s.c, len(s.c.latents)
    h = conv(s, "first", before(s.x), c.units, 1, c.kernel)
    skips, ends = 0, []
    for i in range(levels * c.blocks):
        u, h = gated_block(s, f"tcn.{i + 1}", h, c.units, 2 ** (i % c.blocks), c.kernel)
        skips = skips + u
        if (i + 1) % c.blocks == 0:
            ends.append(h)
    if c.model == "wavenet-dense":
        skips = cat(ends if c.taps == "every-level" else ends[::2], -1)  # of five levels: 1, 3, 5
    s.see("value.log_px", observed(s, mlp(s, "output", relu(skips), c.units, c.layers), s.x))


def rnn(s):
    """Chung et al. 2015, the model without latents."""
    c = s.c
    h = s.see("value.h", lstm(s, "lstm", mlp(s, "embed", s.x, c.embed, c.layers), c.units))
    s.see("value.log_px", observed(s, mlp(s, "decode", before(h), c.embed, c.layers), s.x))


def vrnn(s):
    """Chung et al. 2015."""
    c, n = s.c, s.c.latents[0]
    e, noise = mlp(s, "embed", s.x, c.embed, c.layers), s.noise("z.1", n)
    state, hs, ps, qs, zs, us = (zeros(c.units), zeros(c.units)), [], [], [], [], []
    for t in range(len(s.x)):
        h = state[0]  # h_{t−1}
        p, q = normal_layers(s, "prior", h, n), normal_layers(s, "infer", cat([e[t], h]), n)
        z = q.mean + q.std * noise[t]
        u = mlp(s, "embed_latent", z, c.embed_latent, c.layers)
        state = lstm_step(s, "lstm", cat([e[t], u]), state)
        hs.append(h), ps.append(p), qs.append(q), zs.append(z), us.append(u)
    s.see_latent(1, of_steps(qs), of_steps(ps), stack(zs))
    s.see("value.log_px", observed(s, mlp(s, "decode", cat([stack(us), stack(hs)], -1), c.embed, c.layers), s.x))


def srnn(s):
    """Fraccaro et al. 2016; srnn-filter sees no later x."""
    c, n = s.c, s.c.latents[0]
    embed = lambda x: mlp(s, "embed", x, c.embed, c.layers, lrelu3)
    d = s.see("value.d", gru(s, "forward", embed(before(s.x)), c.units))
    a = cat([d, embed(s.x)], -1)
    if c.model == "srnn":
        a = backwards(lambda x: gru(s, "smooth", x, c.units), a)
    else:
        a = mlp(s, "filter", a, c.units, c.layers, lrelu3)
    s.see("value.a", a)

    def net(path, u, z, bias={}):  # of [u; z], its two weights apart
        h = u @ s.p(f"{path}.units.weight", len(u), c.hidden) + z @ s.p(f"{path}.latent.weight", n, c.hidden)
        return linear(s, f"{path}.output", lrelu3(h + s.p(f"{path}.bias", c.hidden)), n, bias)

    std = lambda log_var: sqrt(exp(log_var) + 1e-6)
    noise, z, ps, qs, zs = s.noise("z.1", n), zeros(n), [], [], []
    for t in range(len(s.x)):
        p = normal(net("prior.mean", d[t], z), std(net("prior.log_var", d[t], z)))
        q = normal(p.mean + net("infer.mean", a[t], z), std(net("infer.log_var", a[t], z, extreme(s, "infer"))))
        z = q.mean + q.std * noise[t]
        ps.append(p), qs.append(q), zs.append(z)
    s.see_latent(1, of_steps(qs), of_steps(ps), stack(zs))
    s.see("value.log_px", observed(s, mlp(s, "decode", cat([d, stack(zs)], -1), c.embed, c.layers, lrelu3), s.x))


def dmm(s):
    """Krishnan, Shalit, Sontag 2017: gated transitions, a posterior that has read x_T … x_t."""
    c, n = s.c, s.c.latents[0]
    b = s.see("value.b", backwards(lambda x: lstm(s, "backward", x, c.units), s.x))
    two_layers = lambda path, z: linear(s, f"{path}.2", relu(linear(s, f"{path}.1", z, c.hidden)), n)
    std = lambda var: sqrt(softplus(var) + 1e-6)
    noise, z, ps, qs, zs = s.noise("z.1", n), zeros(n), [], [], []
    for t in range(len(s.x)):
        g, h = sigmoid(two_layers("prior.gate", z)), two_layers("prior.proposal", z)
        p = normal((1 - g) * linear(s, "prior.linear", z, n) + g * h, std(linear(s, "prior.var", relu(h), n)))
        h = (tanh(linear(s, "infer.combine", z, c.units)) + b[t]) / 2
        q = normal(linear(s, "infer.mean", h, n), std(linear(s, "infer.var", h, n)))
        z = q.mean + q.std * noise[t]
        ps.append(p), qs.append(q), zs.append(z)
    s.see_latent(1, of_steps(qs), of_steps(ps), stack(zs))
    s.see("value.log_px", observed(s, mlp(s, "emission", stack(zs), c.embed, 2), s.x))


def target(s, state):
    """What an auxiliary density is of: the state taken as given, or itself."""
    return state.detach() if s.c.target == "stop" else state


def z_forcing(s):
    """Goyal et al. 2017."""
    c, n = s.c, s.c.latents[0]
    embed = lambda x: linear(s, "embed", x, c.embed)
    e = embed(before(s.x))  # of x_{t−1}
    b = s.see("value.b", backwards(lambda x: lstm(s, "backward", x, c.units), embed(s.x)))
    noise, state, hs, ps, qs, zs = s.noise("z.1", n), (zeros(c.units), zeros(c.units)), [zeros(c.units)], [], [], []
    for t in range(len(s.x)):
        p, q = log_var_layers(s, "prior", hs[t], n), log_var_layers(s, "infer", cat([hs[t], b[t]]), n)
        z = q.mean + q.std * noise[t]
        state = lstm_step(s, "lstm", cat([e[t], linear(s, "embed_latent", z, c.hidden)]), state)
        hs.append(state[0]), ps.append(p), qs.append(q), zs.append(z)
    h_before, h, z = stack(hs[:-1]), stack(hs[1:]), stack(zs)
    s.see_latent(1, of_steps(qs), of_steps(ps), z)
    s.see("value.log_px", observed(s, lrelu3(linear(s, "decode", h, c.embed)), s.x))

    told = log_var_layers(s, "auxiliary", cat([h_before, z], -1), c.units)
    told = normal(tanh(told.mean), told.std)
    s.see_added("auxiliary", c.auxiliary_weight * log_prob(target(s, b), told))
    plain = "bernoulli" if c.task == "music" else "normal"
    heard = observed(s, b, before(s.x), "backward.head", plain)  # ln p(x_{t−1} | b_t), and of x_0 nothing
    s.see_added("backward", c.backward_weight * heard * (torch.arange(len(s.x)) > 0))


def var_bilstm(s):
    """Shabanian et al. 2017."""
    c, n = s.c, s.c.latents[0]
    e = linear(s, "embed", cat([zeros(1, s.x.shape[1]), s.x]), c.embed)  # of x_0 … x_T
    b = backwards(lambda x: lstm(s, "backward", x, c.units), e)[:-1]  # b_t has read x_T … x_{t−1}
    s.see("value.b", b)
    noise, noise_b, state = s.noise("z.1", n), s.noise("b.drawn", c.units), (zeros(c.units), zeros(c.units))
    hs, ps, qs, zs, tolds = [zeros(c.units)], [], [], [], []
    for t in range(len(s.x)):
        p, q = log_var_layers(s, "prior", hs[t], n), log_var_layers(s, "infer", cat([hs[t], b[t]]), n)
        z = q.mean + q.std * noise[t]
        told = log_var_layers(s, "tell_back", z, c.units)
        b_drawn = told.mean + told.std * noise_b[t]
        state = lstm_step(s, "lstm", cat([e[t], z, b_drawn]), state)
        hs.append(state[0]), ps.append(p), qs.append(q), zs.append(z), tolds.append(told)
    h_before, h, z = stack(hs[:-1]), stack(hs[1:]), stack(zs)
    s.see_latent(1, of_steps(qs), of_steps(ps), z)
    s.see("value.log_px", observed(s, lrelu3(linear(s, "decode", h, c.embed)), s.x))

    s.see_added("auxiliary", c.auxiliary_weight * log_prob(target(s, b), of_steps(tolds)))
    state = log_var_layers(s, "tell_state", z, c.units)
    s.see_added("auxiliary.state", c.state_weight * log_prob(target(s, h_before), state))


def swavenet(s):
    """Lai et al. 2018."""
    c, levels = s.c, len(s.c.latents)

    def gate(path, x, n, bias={}):
        if c.gate_kind == "two-layer":
            return linear(s, f"{path}.output", relu(linear(s, f"{path}.hidden", x, c.hidden)), n, bias)
        return linear(s, f"{path}.output", relu(x), n, bias)

    def normal_gate(path, x, n):
        mean, log_var = gate(path, x, 2 * n, extreme(s, path, n)).split(n, -1)
        return normal(mean, exp(log_var.clip(-8, 8) / 2))

    def block(path, x, dilation):
        act = sigmoid if c.gate_act == "sigmoid" else lambda a: a
        unit = tanh(conv(s, f"{path}.filter", x, c.units, dilation)) * act(conv(s, f"{path}.gate", x, c.units, dilation))
        return unit + linear(s, f"{path}.project", x, c.units)

    m, v = linear(s, "embed", s.x, c.units), None
    r = [None] * levels
    for l in range(levels, 0, -1):
        v = backwards(lambda x: block(f"back.{l}", x, 2 ** (c.pre + l - 1)), m if v is None else v)
        r[l - 1] = s.see(f"value.r.{l}", gate(f"look.{l}", cat([v, m], -1), c.units))

    h = relu(linear(s, "embed", before(s.x), c.units))
    skips = gate("first_skip", h, c.units)
    for i in range(1, c.pre + 1):
        h = block(f"pre.{i}", h, 2 ** (i - 1))
        skips = skips + gate(f"pre_skip.{i}", h, c.units)
    for l in range(1, levels + 1):
        n, g = c.latents[l - 1], block(f"block.{l}", h, 2 ** (c.pre + l - 1))
        p, q = normal_gate(f"prior.{l}", g, n), normal_gate(f"infer.{l}", cat([g, r[l - 1]], -1), n)
        z = s.draw(f"z.{l}", q)
        s.see_latent(l, q, p, z)
        skips = skips + gate(f"skip.{l}", cat([g, z], -1), c.units)
        if l < levels:
            h = gate(f"state.{l}", cat([g, z], -1), c.units)
    h = relu(linear(s, "output.1", relu(skips), c.embed))
    s.see("value.log_px", observed(s, linear(s, "output.2", h, c.embed), s.x))


MODELS = {"stcn": stcn, "stcn-dense": stcn, "ladder-rnn": stcn, "ladder-rnn-dense": stcn, "wavenet": wavenet,
          "wavenet-dense": wavenet, "rnn": rnn, "vrnn": vrnn, "srnn": srnn, "srnn-filter": srnn, "z-forcing": z_forcing,
          "var-bilstm": var_bilstm, "swavenet": swavenet, "dmm": dmm}


# ── The objective ────────────────────────────────────────────────────────────────────────────────────────────

def objective(c, rows, lengths, weight):
    """The loss of a batch; rows k·B + b are the draws k of sequence b."""
    sequences, total = len(lengths), 0
    for b, length in enumerate(lengths):
        draws = [rows[k * sequences + b] for k in range(c.particles)]
        a = stack([s.seen["value.log_px"] - weight * s.paid for s in draws])  # (K, T)
        if not c.per_step:
            a = a.sum(1, keepdim=True)
        bound = (logsumexp(a, 0) - math.log(c.particles)).sum()
        added = sum((s.added + zeros(length)).sum() for s in draws) / c.particles
        share = {"mean-step": 1 / (sequences * length), "mean-sequence": 1 / sequences, "per-step": 1 / sum(lengths)}
        total = total - share[c.reduction] * (bound + added)
    return total


def run(c, p, xs, samples, weight):
    """All sequences, K times each: everything seen by name, with rows below one another, and every gradient."""
    rows = [Pass(c, p, x, sample + (k << 26)) for k in range(c.particles) for x, sample in zip(xs, samples)]
    for row in rows:
        MODELS[c.model](row)
    loss = objective(c, rows, [len(x) for x in xs], weight)
    loss.backward()
    seen = {"value.loss": loss}
    for name in rows[0].seen:
        longest = max(len(row.seen[name]) for row in rows)
        padded = [cat([v, zeros(longest - len(v), *v.shape[1:])]) for v in (row.seen[name] for row in rows)]
        seen[name] = stack(padded)
    for path, value in p.items():
        seen[f"param.{path}"] = value
        seen[f"grad.{path}"] = torch.zeros_like(value) if value.grad is None else value.grad
    return seen


# ── Cases ────────────────────────────────────────────────────────────────────────────────────────────────────

TASKS = {"ink": (3, "mean-step"), "speech": (2, "mean-sequence"), "music": (4, "per-step")}  # D, how losses add up
BASE = dict(
    units=5, embed=4, embed_latent=3, hidden=6, latents=[3, 2], blocks=2, kernel=2, layers=2, net_layers=1, pre=1,
    mixtures=2, decoder="pointwise", draws="shared", precision="product", floors="exact",
    taps="every-level", gate_kind="two-layer", gate_act="sigmoid", target="stop", auxiliary_weight=0.5, state_weight=0.3,
    backward_weight=0.8, objective="elbo", particles=1, per_step=False, mild=False, biases={},
)
# Where release and paper differ, sizes that change the equations, and bounds by several draws.
RELEASED = dict(draws="fresh", precision="as-released", floors="as-released")
FLOORED = {"head.weight.bias": {0: 20}, "head.mean.bias": {2: 6}}  # one component has all the weight, and is not where x is
SWITCHES = [
    ("stcn", "ink-gmm", "fresh", dict(draws="fresh")),
    ("stcn", "ink-normal", "released-precision", dict(precision="as-released")),
    ("stcn", "ink-gmm", "released", dict(RELEASED, biases=FLOORED)),
    ("stcn", "ink-normal", "three-taps", dict(kernel=3, net_layers=2, blocks=1)),
    ("stcn", "ink-gmm", "iwae", dict(objective="iwae", particles=3, per_step=True, mild=True)),
    ("stcn", "speech-normal", "same-width", dict(decoder="gated", latents=[5, 2])),
    ("stcn-dense", "ink-gmm", "fresh", dict(draws="fresh")),
    ("stcn-dense", "music-bernoulli", "released", RELEASED),
    ("stcn-dense", "ink-bigmm", "released", dict(RELEASED, biases=FLOORED)),
    ("stcn-dense", "ink-ar", "released", RELEASED),
    ("wavenet-dense", "ink-normal", "released-taps", dict(taps="release", latents=[1, 1, 1], blocks=1)),
    ("ladder-rnn-dense", "ink-normal", "fresh", dict(draws="fresh")),
    ("vrnn", "ink-gmm", "iwae", dict(objective="iwae", particles=3, mild=True)),
    ("z-forcing", "ink-normal", "full-target", dict(target="full")),
    ("var-bilstm", "ink-normal", "full-target", dict(target="full")),
    ("swavenet", "ink-normal", "pre-relu", dict(gate_kind="pre-relu-linear")),
    ("swavenet", "ink-normal", "linear-gate", dict(gate_act="linear-as-released")),
    ("swavenet", "ink-normal", "one-layer", dict(latents=[2], pre=2)),
]


def cases():
    for model in MODELS:
        for data in "ink-normal", "ink-gmm", "ink-bigmm", "music-bernoulli":
            yield model, data, data, {}
        if model in ("stcn-dense", "rnn", "vrnn", "z-forcing"):
            for data in "ink-ar", "music-ar":
                yield model, data, data, {}
        if model in ("stcn", "stcn-dense", "vrnn", "swavenet"):
            for data in "speech-normal", "speech-gmm":
                yield model, data, data, dict(decoder="gated")
    for model, data, switch, changes in SWITCHES:
        yield model, data, f"{data}-{switch}", changes


def golden(model, data, name, changes):
    """One case: what goes in and what comes out, named as `stcn inspect --dump` has it."""
    task, head = data.split("-")
    D, reduction = TASKS[task]
    c = SimpleNamespace(**{**BASE, **changes}, model=model, task=task, head=head, reduction=reduction)
    random = numpy.random.RandomState(zlib.crc32(f"{model} {name} x".encode()))
    x = rounded(torch.tensor(random.standard_normal((len(LENGTHS), T, D))))
    if task != "speech":
        x[..., 2 if task == "ink" else 0:] = (x[..., 2 if task == "ink" else 0:] > 0).double()
    seen = run(c, Parameters(f"{model} {name}", c.biases), [x[b, :n] for b, n in enumerate(LENGTHS)], SAMPLES, KL_WEIGHT)
    for b, n in enumerate(LENGTHS):
        x[b, n:] = 9  # nobody may look there
    mask = (torch.arange(T) < torch.tensor(LENGTHS)[:, None]).double()
    assert all(value.isfinite().all() for value in seen.values()), name
    return {"input.x": x, "input.mask": mask, **seen}


if __name__ == "__main__":
    files = {}
    for model, data, name, changes in cases():
        tensors = golden(model, data, name, changes)
        files.setdefault(model, {}).update({f"{name}/{key}": value.detach().float().contiguous() for key, value in tensors.items()})
    about = {"made by": "tests/oracle/make_golden.py", "torch": torch.__version__, "seed": SEED, "step": STEP,
             "samples": SAMPLES, "kl_weight": KL_WEIGHT}
    folder = pathlib.Path(__file__).parent / "golden"
    folder.mkdir(exist_ok=True)
    for model, tensors in files.items():
        save_file(tensors, folder / f"{model}.safetensors", {"stcn": json.dumps(about)})
