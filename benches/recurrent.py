"""RNN, VRNN, SRNN and LadderRNN in PyTorch, to time beside `stcn bench step` on the same work: forward, backward, clipping, Adam.

    python3 benches/recurrent.py vrnn [--threads 2] [--steps 5] [--batch 20] [--time 200]

The sizes are those of the preset `ink` (`LadderRNN`: five cells of 512 units); the head is normal, that of SRNN a mixture of 20.
Layers that need no latent of the step before run over all steps at once, as in ours; nn.LSTM and nn.GRU where they can be used.
Prints one line of JSON. The commands of ours are in the book, chapter 10.
"""
import argparse, json, math, time
import torch
from torch import nn
from torch.nn import functional as F

HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)


def kl(q, p):
    """q, p: (mean, std) → (…,)"""
    (m, s), (pm, ps) = q, p
    return (ps.log() - s.log() + (s**2 + (m - pm) ** 2) / (2 * ps**2) - 0.5).sum(-1)


def lrelu3(x):
    return F.leaky_relu(x, 1 / 3).clamp(-3, 3)


def late(x):
    """One step later: 0, x_1 … x_{T−1}."""
    return F.pad(x, (0, 0, 1, 0))[:, :-1]


class Head(nn.Module):
    """ln p(dx, dy, pen): a normal, or a mixture of `parts`; and a Bernoulli."""

    def __init__(self, width, parts):
        super().__init__()
        self.parts = parts
        self.mean, self.std, self.pen = nn.Linear(width, 2 * parts), nn.Linear(width, 2 * parts), nn.Linear(width, 1)
        self.weight = nn.Linear(width, parts) if parts > 1 else None

    def forward(self, h, x):
        shape = (*h.shape[:2], 2, self.parts)
        mean, std = self.mean(h).view(shape), F.softplus(self.std(h)).clamp(1e-3, 50).view(shape)
        log_n = (-0.5 * ((x[..., :2, None] - mean) / std) ** 2 - std.log() - HALF_LOG_2PI).sum(-2)
        real = log_n[..., 0] if self.weight is None else torch.logsumexp(self.weight(h).log_softmax(-1) + log_n, -1)
        return real - F.binary_cross_entropy_with_logits(self.pen(h)[..., 0], x[..., 2], reduction="none")


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
        return self.output(lrelu3(seen + self.latent(z)))


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

    def __init__(self, inputs, hidden, outputs):
        super().__init__()
        layers = lambda: nn.Sequential(
            nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, outputs))
        self.mean, self.std = layers(), layers()

    def forward(self, x):
        return self.mean(x), F.softplus(self.std(x)).clamp(1e-3, 5)


class LadderRnn(nn.Module):
    """ladder-rnn-dense: one cell per latent."""

    def __init__(self, parts, units=512, sizes=(32, 16, 8, 4, 2), hidden=256):
        super().__init__()
        above = (*sizes[1:], 0)
        self.cells = nn.ModuleList(nn.LSTM(units if l else 3, units, batch_first=True) for l in range(len(sizes)))
        self.prior = nn.ModuleList(NormalNet(units + a, hidden, z) for z, a in zip(sizes, above))
        self.infer = nn.ModuleList(NormalNet(units + a, hidden, z) for z, a in zip(sizes, above))
        wide = [m for l in range(5) for m in (nn.Linear(hidden if l else sum(sizes), hidden), nn.ReLU())]
        self.output, self.head = nn.Sequential(*wide), Head(hidden, parts)

    def forward(self, x):
        h, d = F.pad(x, (0, 0, 1, 0)), []
        for cell in self.cells:
            h, _ = cell(h)
            d.append(h)
        zs, total, z = [], 0, x[..., :0]
        for l in reversed(range(len(d))):
            pm, ps = p = self.prior[l](torch.cat([d[l][:, :-1], z], -1))
            em, es = self.infer[l](torch.cat([d[l][:, 1:], z], -1))
            var = 1 / (ps**-2 + es**-2)
            mean, std = var * (em * es**-2 + pm * ps**-2), var.sqrt()
            z = mean + std * torch.randn_like(mean)
            zs.insert(0, z)
            total = total + kl((mean, std), p)
        return self.head(self.output(torch.cat(zs, -1)), x) - total


MODELS = {"rnn": (Rnn, 1), "vrnn": (Vrnn, 1), "srnn": (Srnn, 20), "ladder-rnn-dense": (LadderRnn, 1)}

if __name__ == "__main__":
    args = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    args.add_argument("model", choices=MODELS)
    for name, default in (("threads", 2), ("steps", 5), ("batch", 20), ("time", 200)):
        args.add_argument(f"--{name}", type=int, default=default)
    args = args.parse_args()
    torch.manual_seed(1)
    torch.set_num_threads(args.threads)
    kind, parts = MODELS[args.model]
    model = kind(parts)
    x = torch.randn(args.batch, args.time, 3)
    x[..., 2] = (x[..., 2] > 1).float()
    adam, times = torch.optim.Adam(model.parameters(), lr=5e-4, fused=True), []
    for _ in range(args.steps + 2):
        start = time.perf_counter()
        adam.zero_grad()
        loss = -model(x).mean()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        adam.step()
        times.append(1e3 * (time.perf_counter() - start))
    times = sorted(times[2:])  # two to warm up
    parameters = sum(p.numel() for p in model.parameters())
    print(json.dumps({"model": args.model, "parameters": parameters, "step_ms_median": times[len(times) // 2],
                      "step_ms_min": times[0], "loss": loss.item()}))
