# Each target is a line or two; everything real lives in cargo or in the binary.
MODEL  ?= stcn-dense
PRESET ?= ink-tiny
OUT    ?= runs/$(PRESET)-$(MODEL)
SECONDS ?= 60
STCN   := cargo run --quiet --release --
MATRIX := cargo test --test all -- --ignored --exact repro::matrix --nocapture
ARM    := aarch64-unknown-linux-gnu
PYTHON ?= python3
FUZZ   := cargo +nightly fuzz
BENCH  := cargo bench --bench all --bench overhead --bench count

.PHONY: help demo test check gradcheck oracle deny slow storm repro repro-arm fuzz bench bench-save bench-diff size book
.PHONY: train sample evaluate inspect data clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "%-12s %s\n", $$1, $$2 }'

demo: ## train on the embedded handwriting, evaluate, draw: start here
	rm -rf runs/demo
	cargo run --release -- train --preset ink-tiny --out runs/demo
	$(STCN) evaluate runs/demo --iwae 16
	$(STCN) sample runs/demo --out runs/demo/samples
	@echo
	@echo "A small STCN has learnt to move a pen, from handwriting that the program made itself. Above stand the"
	@echo "bounds on how likely it finds lines that it never saw; its own lines are in runs/demo/samples/sample.svg."
	@echo "Next: make inspect OUT=runs/demo (every node of a pass, with its gradient), make train MODEL=wavenet"
	@echo "(another model, same data), stcn train --resume runs/demo --steps 3000 (longer), make book (how it works)."

test: ## laws, twins, same bits, the oracle, a crate of somebody else's, the house itself, doctests
	cargo test --workspace

check: ## format, lints, docs, tests and gradients: before every commit that matters
	cargo fmt --all --check && cargo clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --no-deps
	$(MAKE) test gradcheck deny

gradcheck: ## every op and every model's parameters against finite differences, in f64
	cargo test --features f64 --test all -- ops:: tape:: dist:: nn:: models:: oracle::
	cargo run --features f64 -- gradcheck
	cargo run --package outsider --features f64 -- gradcheck --model drift
	cargo test --package outsider --features f64 op

oracle: ## every model in PyTorch: the golden files made again, fresh passes of the binary compared, where torch is there
	@if $(PYTHON) -c "import torch, numpy, safetensors" 2> /dev/null; then cargo build --release && \
	$(PYTHON) -B tests/oracle/live.py target/release/stcn; \
	else echo "skipped: wants $(PYTHON) with torch, numpy, safetensors (pip install torch numpy safetensors)"; fi

deny: ## licences and advisories of what we depend on, where cargo-deny is installed
	@if cargo deny --version > /dev/null 2>&1; then cargo deny check; \
	else echo "skipped: cargo-deny is not installed (cargo install cargo-deny)"; fi

slow: ## the ignored tests in release: overfitting, kills, exhaustive arithmetic
	cargo test --release -- --ignored --skip repro::matrix --skip cli::storm

storm: ## SECONDS=: random signals, then random faults of the file system, so long each, against random runs
	STCN_SECONDS=$(SECONDS) cargo test --release --test all -- --ignored --nocapture --test-threads=1 cli::storm

repro: ## every model and head run in many ways, "equal" in every cell: threads, CPUs, builds, resumed
	cargo build --release && cargo build --profile unoptimised
	STCN_REPRO="here release unoptimised haswell nehalem" $(MATRIX)

repro-arm: ## the same on aarch64, emulated, or what is missing for it
	@if rustup target list --installed | grep -q $(ARM) && aarch64-linux-gnu-gcc --version > /dev/null \
	&& qemu-aarch64 --version > /dev/null; then CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc \
	cargo build --release --target $(ARM) && STCN_REPRO=aarch64 $(MATRIX); \
	else echo "skipped: wants \`rustup target add $(ARM)\` and gcc-aarch64-linux-gnu, libc6-dev-arm64-cross, qemu-user"; fi

fuzz: ## SECONDS=: hostile files for every reader in turn, under nightly, where cargo-fuzz is installed
	@if $(FUZZ) --version > /dev/null 2>&1; then cd tests/fuzz && for target in $$($(FUZZ) list --fuzz-dir .); do \
	$(FUZZ) run --fuzz-dir . --target-dir ../../target/fuzz -s none $$target -- -max_total_time=$(SECONDS) \
	-timeout=10 -max_len=2048 -dict=words.dict -print_final_stats=1 || exit 1; done; \
	else echo "skipped: wants \`rustup toolchain install nightly\` and \`cargo install cargo-fuzz\`"; fi

bench: ## time kernels, ops, steps and the tape against a gradient by hand; count instructions under valgrind
	$(BENCH)

bench-save: ## the same, kept to compare with
	$(BENCH) -- --save-baseline before

bench-diff: ## the same, against what bench-save kept, in per cent
	$(BENCH) -- --baseline before

size: ## lines per floor and the longest files: a look, not a limit
	@cargo test --quiet --test all -- --exact tidy::lines_per_floor --nocapture

book: ## the documentation, in a browser
	cargo doc --no-deps --open

train: ## MODEL= PRESET= OUT=: train on the embedded handwriting; other data: stcn train --data
	$(STCN) train --model $(MODEL) --preset $(PRESET) --out $(OUT)

sample: ## OUT=: draw from a run
	$(STCN) sample $(OUT) --out $(OUT)/samples

evaluate: ## OUT=: bounds of a run on its validation part
	$(STCN) evaluate $(OUT)

inspect: ## OUT=: one pass of a run, every node with value and gradient
	$(STCN) inspect $(OUT)

data: ## the embedded handwriting: what it holds, and how to see it
	@$(STCN) data show embedded
	@echo "To draw its first lines: stcn data show embedded --out lines.png"

clean: ## what cargo built; runs/ stays
	cargo clean
