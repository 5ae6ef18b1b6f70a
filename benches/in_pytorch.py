"""STCN and its recurrent rivals in PyTorch, to time beside `stcn bench step` on the same work: forward, backward, clipping, Adam.

    python3 benches/in_pytorch.py vrnn [--threads 2] [--steps 5] [--batch 20] [--time 200]
    python3 benches/in_pytorch.py stcn-dense [--channels 256] [--blocks 6] [--speech] [--linear] [--compile]

The sizes are those of the preset `ink` (`LadderRNN`: five cells of 512 units), or `speech`; the head of STCN and SRNN is a mixture
of 20, that of the others normal. Layers that need no latent of the step before run over all steps at once, as in ours; nn.LSTM and
nn.GRU where they can be used. Prints one line of JSON. The commands of ours are in the book, chapter 10.
"""
import argparse, json, math, time
import torch
from torch import nn
from torch.nn import functional as F

HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)


def kl(q, p):
    """q, p: (mean, std), (B, T, C) -> (B, T)"""
    (m, s), (pm, ps) = q, p
    return (ps.log() - s.log() + (s.square() + (m - pm).square()) / (2 * ps.square()) - 0.5).sum(2)


def conv(inputs, outputs):
    """A linear layer on channels that are axis 1."""
    return nn.Conv1d(inputs, outputs, 1)


def lrelu3(x):
    return F.leaky_relu(x, 1 / 3).clamp(-3, 3)


def late(x):
    """One step later: 0, x_1 … x_{T−1}."""
    return F.pad(x[:, :-1], (0, 0, 1, 0))


class Head(nn.Module):
    """ln p(dx, dy, pen), or of a frame of sound: a normal, or a mixture of `parts`; and for ink a Bernoulli. Channels: `axis`."""

    def __init__(self, width, parts, reals=2, pen=True, layer=nn.Linear, axis=2):
        super().__init__()
        self.parts, self.reals, self.axis = parts, reals, axis
        self.mean, self.std = layer(width, reals * parts), layer(width, reals * parts)
        self.weight, self.pen = layer(width, parts) if parts > 1 else None, layer(width, 1) if pen else None

    def forward(self, h, x):
        axis, shape = self.axis, (self.reals, self.parts)
        mean, std = (layer(h).unflatten(axis, shape) for layer in (self.mean, self.std))
        std, real = F.softplus(std).clamp(1e-3, 50), x.narrow(axis, 0, self.reals).unsqueeze(axis + 1)
        log_n = -(0.5 * ((real - mean) / std).square() + std.log()).sum(axis) - self.reals * HALF_LOG_2PI
        log_px = log_n.squeeze(axis)
        if self.weight is not None:
            log_px = torch.logsumexp(self.weight(h).log_softmax(axis) + log_n, axis)
        if self.pen is None:
            return log_px
        logit, pen = self.pen(h).squeeze(axis), x.select(axis, -1)
        return log_px - F.binary_cross_entropy_with_logits(logit, pen, reduction="none")


class Rnn(nn.Module):
    def __init__(self, parts, units=1200, width=340):
        super().__init__()
        self.embed, self.decode = nn.Linear(3, width), nn.Linear(units, width)
        self.lstm, self.head = nn.LSTM(width, units, batch_first=True), Head(width, parts)

    def forward(self, x):
        h, _ = self.lstm(F.relu(self.embed(x)))
        return self.head(F.relu(self.decode(late(h))), x)


class NormalLayers(nn.Module):
    def __init__(self, inputs, width, outputs):
        super().__init__()
        self.hidden, self.mean, self.std = nn.Linear(inputs, width), nn.Linear(width, outputs), nn.Linear(width, outputs)

    def forward(self, x):
        h = F.relu(self.hidden(x))
        return self.mean(h), F.softplus(self.std(h)) + 1e-4


class Vrnn(nn.Module):
    def __init__(self, parts, units=1200, width=250, z=50, u=150, hidden=150):
        super().__init__()
        self.embed, self.embed_latent = nn.Linear(3, width), nn.Linear(z, u)
        self.prior, self.infer = NormalLayers(units, hidden, z), NormalLayers(width + units, hidden, z)
        self.decode, self.head = nn.Linear(u + units, width), Head(width, parts)
        self.cell, self.z = nn.LSTMCell(width + u, units), z

    def forward(self, x):
        e = F.relu(self.embed(x))
        noise = torch.randn(*x.shape[:2], self.z)
        h = c = x.new_zeros(len(x), self.cell.hidden_size)
        hs, us, means, stds = [], [], [], []
        for e_t, noise_t in zip(e.unbind(1), noise.unbind(1)):
            hs.append(h)
            mean, std = self.infer(torch.cat([e_t, h], 1))
            u = F.relu(self.embed_latent(mean + std * noise_t))
            h, c = self.cell(torch.cat([e_t, u], 1), (h, c))
            us.append(u), means.append(mean), stds.append(std)
        h, q = torch.stack(hs, 1), (torch.stack(means, 1), torch.stack(stds, 1))
        y = F.relu(self.decode(torch.cat([torch.stack(us, 1), h], -1)))
        return self.head(y, x) - kl(q, self.prior(h))


class Net(nn.Module):
    """NN([u; z]) = V lrelu3(W u + U z + b) + c, with W u + b of all steps at once."""

    def __init__(self, units, hidden, z):
        super().__init__()
        self.units, self.latent, self.output = nn.Linear(units, hidden), nn.Linear(z, hidden, bias=False), nn.Linear(hidden, z)

    def forward(self, seen, z):
        return self.output(lrelu3(torch.addmm(seen, z, self.latent.weight.t()) if z.dim() == 2 else seen + self.latent(z)))


class Srnn(nn.Module):
    def __init__(self, parts, units=300, width=500, z=100, hidden=500):
        super().__init__()
        self.embed, self.decode, self.head, self.z = nn.Linear(3, width), nn.Linear(units + z, width), Head(width, parts), z
        self.gru, self.smooth = nn.GRU(width, units, batch_first=True), nn.GRU(units + width, units, batch_first=True)
        self.prior_mean, self.prior_var, self.mean, self.var = (Net(units, hidden, z) for _ in range(4))

    def forward(self, x):
        e = lrelu3(self.embed(F.pad(x, (0, 0, 1, 0))))
        d, _ = self.gru(e[:, :-1])
        a = self.smooth(torch.cat([d, e[:, 1:]], -1).flip(1))[0].flip(1)
        of_prior, of_mean, of_var = (net.units(u) for net, u in ((self.prior_mean, d), (self.mean, a), (self.var, a)))
        noise, z = torch.randn(*x.shape[:2], self.z), x.new_zeros(len(x), self.z)
        zs, prior_means, means, stds = [z], [], [], []
        for prior_t, mean_t, var_t, noise_t in zip(*(u.unbind(1) for u in (of_prior, of_mean, of_var, noise))):
            prior_mean = self.prior_mean(prior_t, z)
            mean = prior_mean + self.mean(mean_t, z)
            std = (self.var(var_t, z).exp() + 1e-6).sqrt()
            z = mean + std * noise_t
            zs.append(z), prior_means.append(prior_mean), means.append(mean), stds.append(std)
        zs = torch.stack(zs, 1)
        prior_std = (self.prior_var(self.prior_var.units(d), zs[:, :-1]).exp() + 1e-6).sqrt()
        y = lrelu3(self.decode(torch.cat([d, zs[:, 1:]], -1)))
        return self.head(y, x) - kl((torch.stack(means, 1), torch.stack(stds, 1)), (torch.stack(prior_means, 1), prior_std))


class NormalNet(nn.Module):
    """Mean and spread from two nets that share nothing."""

    def __init__(self, inputs, hidden, outputs, layer):
        super().__init__()
        layers = lambda: nn.Sequential(
            layer(inputs, hidden), nn.ReLU(), layer(hidden, hidden), nn.ReLU(), layer(hidden, outputs))
        self.mean, self.std = layers(), layers()

    def forward(self, x):
        return self.mean(x), F.softplus(self.std(x)).clamp(1e-3, 5)


class Ladder(nn.Module):
    """Latents top down, given their contexts, and an output that sees all of them; -> ELBO of every step. Channels: `axis`."""

    def __init__(self, contexts, hidden, sizes, output, head, layer=nn.Linear, axis=2):
        super().__init__()
        nets = lambda: nn.ModuleList(
            NormalNet(contexts + above, hidden, z, layer) for z, above in zip(sizes, (*sizes[1:], 0)))
        self.prior, self.infer, self.output, self.head, self.axis = nets(), nets(), output, head, axis

    def forward(self, d, x):
        """d: T + 1 steps of every level, lowest first; x: T steps"""
        axis, steps = 3 - self.axis, x.shape[3 - self.axis]
        zs, total, z = [], 0, x.narrow(self.axis, 0, 0)
        for l in reversed(range(len(d))):
            pm, ps = self.prior[l](torch.cat([d[l].narrow(axis, 0, steps), z], self.axis))
            em, es = self.infer[l](torch.cat([d[l].narrow(axis, 1, steps), z], self.axis))
            a, b = ps.square(), es.square()
            var, mean = a * b / (a + b), (em * a + pm * b) / (a + b)
            z = torch.addcmul(mean, var.sqrt(), torch.randn_like(mean))
            zs.insert(0, z)
            total = total + 0.5 * ((var + (mean - pm).square()) / a + (a / var).log() - 1).sum(self.axis)
        return self.head(self.output(torch.cat(zs, self.axis)), x) - total


def pointwise(inputs, width, layer=nn.Linear):
    return nn.Sequential(*(m for l in range(5) for m in (layer(width if l else inputs, width), nn.ReLU())))


class LadderRnn(nn.Module):
    """ladder-rnn-dense: one cell per latent."""

    def __init__(self, parts, units=512, sizes=(32, 16, 8, 4, 2), hidden=256):
        super().__init__()
        self.cells = nn.ModuleList(nn.LSTM(units if l else 3, units, batch_first=True) for l in range(len(sizes)))
        self.ladder = Ladder(units, hidden, sizes, pointwise(sum(sizes), hidden), Head(hidden, parts))

    def forward(self, x):
        h, d = F.pad(x, (0, 0, 1, 0)), []
        for cell in self.cells:
            h, _ = cell(h)
            d.append(h)
        return self.ladder(d, x)


class GatedBlock(nn.Module):
    """(B, C, T) -> (B, channels, T): two dilated taps each of filter and gate, a mix, a residual."""

    def __init__(self, inputs, channels, dilation=1):
        super().__init__()
        self.dilation = dilation
        self.taps = nn.Conv1d(inputs, 2 * channels, 2, dilation=dilation)  # filter and gate in one
        self.mix = nn.Conv1d(channels, channels, 1)
        self.project = nn.Identity() if inputs == channels else nn.Conv1d(inputs, channels, 1)

    def forward(self, x):
        filter, gate = self.taps(F.pad(x, (self.dilation, 0))).chunk(2, 1)
        return self.project(x) + self.mix(filter.tanh() * gate.sigmoid())


class Stcn(nn.Module):
    """stcn-dense. Channels are axis 1, as convolutions want them, and a linear layer is one of those; or the last with nn.Linear."""

    def __init__(self, parts, channels, blocks, speech, linear):
        super().__init__()
        layer, self.axis = (nn.Linear, 2) if linear else (conv, 1)
        inputs, sizes = (200, (256, 128, 64, 32, 16)) if speech else (3, (32, 16, 8, 4, 2))
        self.levels = nn.ModuleList(
            nn.Sequential(*(GatedBlock(channels if l or k else inputs, channels, 2**k) for k in range(blocks)))
            for l in range(len(sizes)))
        if speech:
            output = nn.Sequential(*(GatedBlock(channels if l else sum(sizes), channels) for l in range(5)))
        else:
            output = pointwise(sum(sizes), channels, layer)
        head = Head(channels, parts, 200 if speech else 2, not speech, layer, self.axis)
        self.ladder = Ladder(channels, channels, sizes, output, head, layer, self.axis)

    def forward(self, x):
        h, d = F.pad(x, (0, 0, 1, 0)).transpose(1, 2).contiguous(), []
        for level in self.levels:
            h = level(h)
            d.append(h.transpose(1, self.axis))
        return self.ladder(d, x.transpose(1, self.axis).transpose(1, 2))


MODELS = {"rnn": (Rnn, 1), "vrnn": (Vrnn, 1), "srnn": (Srnn, 20), "ladder-rnn-dense": (LadderRnn, 1), "stcn-dense": (Stcn, 20)}

if __name__ == "__main__":
    args = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    args.add_argument("model", choices=MODELS)
    for name, default in (("threads", 2), ("steps", 5), ("batch", 20), ("time", None), ("channels", None), ("blocks", None)):
        args.add_argument(f"--{name}", type=int, default=default)
    args.add_argument("--compile", action="store_true", help="by torch.compile")
    args.add_argument("--speech", action="store_true", help="frames of 200 samples in place of ink (stcn-dense)")
    args.add_argument("--linear", action="store_true", help="nn.Linear where a convolution has one tap (stcn-dense on ink)")
    args = args.parse_args()
    if args.speech and args.linear:
        raise SystemExit("--linear is for ink: the output network of speech is made of convolutions")
    if args.model != "stcn-dense" and (args.speech or args.linear or args.channels or args.blocks):
        raise SystemExit("--channels, --blocks, --speech and --linear are for stcn-dense: leave them out")
    args.time, args.channels = args.time or (40 if args.speech else 200), args.channels or 256
    args.blocks = args.blocks or (5 if args.speech else 6)
    torch.set_flush_denormal(True)  # ours has none
    torch.manual_seed(1)
    torch.set_num_threads(args.threads)
    kind, parts = MODELS[args.model]
    model = Stcn(parts, args.channels, args.blocks, args.speech, args.linear) if kind is Stcn else kind(parts)
    x = torch.randn(args.batch, args.time, 200 if args.speech else 3)
    if not args.speech:
        x[..., 2] = (x[..., 2] > 1).float()
    loss_of = torch.compile(model) if args.compile else model
    adam, times = torch.optim.Adam(model.parameters(), lr=5e-4, fused=True), []
    for _ in range(args.steps + 2):
        start = time.perf_counter()
        adam.zero_grad()
        loss = -loss_of(x).mean()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        adam.step()
        times.append(1e3 * (time.perf_counter() - start))
    times = sorted(times[2:])  # two to warm up
    parameters = sum(p.numel() for p in model.parameters())
    print(json.dumps({"model": args.model, "parameters": parameters, "step_ms_median": times[len(times) // 2],
                      "step_ms_min": times[0], "loss": loss.item()}))
