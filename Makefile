# Each target is a line or two; cargo or the binary does the work.
MODEL  ?= stcn-dense
PRESET ?= ink-tiny
OUT    ?= runs/$(PRESET)-$(MODEL)
SECONDS ?= 60
STCN   := cargo run --quiet --release --
MATRIX := cargo test --test all -- --ignored --exact repro::matrix --nocapture
ARM    := aarch64-unknown-linux-gnu
WASM   := wasm32-unknown-unknown
WINDOWS := x86_64-pc-windows-gnu
TARGET := $${CARGO_TARGET_DIR:-target}
# Debian's compiler makes std for any target from its sources; rustup fetches it.
DEBIAN := PATH=/usr/bin:$$PATH RUSTC_BOOTSTRAP=1 CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=wasm-ld-22 \
  cargo build -Zbuild-std=std,panic_abort
SOURCES = $$(/usr/bin/rustc --print sysroot 2> /dev/null)/lib/rustlib/src/rust/library/std
# Runs under mpirun are tested where MPI and libclang are.
MPI := $(shell command -v mpicc > /dev/null && command -v mpirun > /dev/null && { ldconfig -p; ls /usr/lib/llvm-*/lib; } \
  2> /dev/null | grep -q libclang && echo --features mpi)
PYTHON ?= python3
MATURIN ?= maturin
FUZZ   := cargo +nightly fuzz
BENCH  := cargo bench --bench all --bench overhead --bench count

.PHONY: help demo test check gradcheck oracle deny slow storm repro repro-arm repro-windows web wheel fuzz bench bench-save bench-diff size book
.PHONY: train pretrained sample evaluate inspect inspect-html data clean

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "%-12s %s\n", $$1, $$2 }'

demo: ## start here: train on the embedded handwriting, evaluate, draw samples
	rm -rf runs/demo
	cargo run --release -- train --preset ink-tiny --out runs/demo
	$(STCN) evaluate runs/demo --iwae 16
	$(STCN) sample runs/demo --out runs/demo/samples
	@echo
	@echo "A small STCN has learned to write, from handwriting that the program generated itself. The bounds above say"
	@echo "how probable it finds lines it has never seen. Lines that it wrote: runs/demo/samples/sample.svg."
	@echo "Next: make inspect OUT=runs/demo (every node of one pass, with its gradient), make train MODEL=wavenet"
	@echo "(another model on the same data), target/release/stcn train --resume runs/demo --steps 3000 (train longer),"
	@echo "make book (how it works)."

test: ## all tests: same bits, the PyTorch oracle, an outside crate, code rules, doctests; with MPI where it is
	cargo test --workspace $(MPI)

check: ## format, lints, docs, tests, gradients and licences: before you submit
	cargo fmt --all --check && cargo clippy --workspace --all-targets $(MPI) -- -D warnings
	cargo clippy --workspace -- -D warnings  # without the tests' feature: what only a test uses is dead
	cargo clippy --no-default-features --lib -- -D warnings  # the core, without files and a terminal
	RUSTDOCFLAGS="-D warnings" cargo doc --no-deps
	$(MAKE) test gradcheck deny

gradcheck: ## gradients of every op and every model against finite differences, in f64
	cargo test --features f64 --test all -- ops:: tape:: dist:: nn:: models:: oracle::
	cargo run --features f64 -- gradcheck
	cargo run --package outsider --features f64 -- gradcheck --model drift
	cargo test --package outsider --features f64 op

oracle: ## compare every model with PyTorch, live; needs torch
	@if $(PYTHON) -c "import torch, numpy, safetensors" 2> /dev/null; then cargo build --release && \
	$(PYTHON) -B tests/oracle/live.py target/release/stcn; \
	else echo "skipped: needs $(PYTHON) with torch, numpy, safetensors (pip install torch numpy safetensors)"; fi

deny: ## licences and security advisories of the dependencies; needs cargo-deny
	@if cargo deny --version > /dev/null 2>&1; then cargo deny check; \
	else echo "skipped: cargo-deny is not installed (cargo install cargo-deny)"; fi

slow: ## the long tests, in release: overfitting, kills, exhaustive arithmetic, two hosts
	cargo test --release $(MPI) -- --ignored --skip repro::matrix --skip cli::storm

storm: ## SECONDS=: random signals, then random faults of the file system, for SECONDS each, against random runs
	STCN_SECONDS=$(SECONDS) cargo test --release --test all -- --ignored --nocapture --test-threads=1 cli::storm

repro: web ## same bits for every model and head: threads, CPUs, builds, resumed, in wasm; a table with "equal" in every cell
	cargo build --release && cargo build --profile unoptimised
	STCN_REPRO="here release unoptimised haswell nehalem wasm wasm-relaxed" $(MATRIX)

repro-arm: ## the same on emulated aarch64; says what is missing
	@if rustup target list --installed 2> /dev/null | grep -q $(ARM); then build="cargo build"; \
	elif test -d $(SOURCES); then build="$(DEBIAN:panic_abort=panic_unwind)"; \
	else echo "skipped: needs \`rustup target add $(ARM)\`"; exit; fi; \
	if ! aarch64-linux-gnu-gcc --version > /dev/null || ! qemu-aarch64 --version > /dev/null; \
	then echo "skipped: needs gcc-aarch64-linux-gnu, libc6-dev-arm64-cross and qemu-user"; exit; fi; \
	env CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc $$build --release --target $(ARM) \
	&& STCN_REPRO=aarch64 $(MATRIX)

repro-windows: ## the same for Windows, under wine (not yet a real Windows); says what is missing
	@if rustup target list --installed 2> /dev/null | grep -q $(WINDOWS); then build="cargo build"; \
	elif test -d $(SOURCES); then build="$(DEBIAN:panic_abort=panic_unwind)"; \
	else echo "skipped: needs \`rustup target add $(WINDOWS)\`"; exit; fi; \
	if ! x86_64-w64-mingw32-gcc-posix --version > /dev/null || ! test -x /usr/lib/wine/wine64; \
	then echo "skipped: needs gcc-mingw-w64-x86-64-posix and wine64"; exit; fi; \
	env CARGO_TARGET_X86_64_PC_WINDOWS_GNU_LINKER=x86_64-w64-mingw32-gcc-posix $$build --release --target $(WINDOWS) \
	&& x86_64-w64-mingw32-gcc-posix -shared -o $(TARGET)/$(WINDOWS)/release/bcryptprimitives.dll tests/wine.c -ladvapi32 \
	&& STCN_REPRO=windows WINEDEBUG=-all $(MATRIX)

web: ## the live page: a small model trains in the browser while you watch; says what is missing
	@if rustup target list --installed 2> /dev/null | grep -q $(WASM); then build="cargo build"; \
	elif test -d $(SOURCES); then build="$(DEBIAN)"; \
	else echo "skipped: needs \`rustup target add $(WASM)\`"; exit; fi; \
	mkdir -p $(TARGET)/web && cp src/web/*.html src/web/*.css src/web/*.js $(TARGET)/web && for module in plain relaxed; do \
	simd=+simd128; test $$module = plain || simd=$$simd,+relaxed-simd; \
	env CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS=-Ctarget-feature=$$simd $$build --quiet --package stcn-web --profile wasm \
	--target $(WASM) && cp $(TARGET)/$(WASM)/wasm/stcn_web.wasm $(TARGET)/web/$$module.wasm || exit 1; done; \
	echo "To see it: $(PYTHON) -m http.server --directory $(TARGET)/web, and open http://localhost:8000"

wheel: ## a Python wheel that carries the binary, in target/wheels, for pip install; needs maturin
	@if $(MATURIN) --version > /dev/null 2>&1; then $(MATURIN) build --release --locked --bindings bin --out $(TARGET)/wheels; \
	else echo "skipped: needs maturin (pip install maturin)"; fi

fuzz: ## SECONDS=: hostile files for every reader in turn; needs nightly and cargo-fuzz
	@if $(FUZZ) --version > /dev/null 2>&1; then cd tests/fuzz && for target in $$($(FUZZ) list --fuzz-dir .); do \
	$(FUZZ) run --fuzz-dir . --target-dir ../../target/fuzz -s none $$target -- -max_total_time=$(SECONDS) \
	-timeout=10 -max_len=2048 -dict=words.dict -print_final_stats=1 || exit 1; done; \
	else echo "skipped: needs \`rustup toolchain install nightly\` and \`cargo install cargo-fuzz\`"; fi

bench: ## time kernels, ops, steps and the tape's overhead; count instructions under valgrind
	$(BENCH)

bench-save: ## the same, and save as the baseline
	$(BENCH) -- --save-baseline before

bench-diff: ## the same, compared with the saved baseline
	$(BENCH) -- --baseline before

size: ## lines per layer of modules, and the longest files
	@cargo test --quiet --test all -- --exact tidy::lines_per_floor --nocapture

book: ## build the book and the documentation, print where they are, open them where there is a browser
	cargo doc --no-deps
	@page=$${CARGO_TARGET_DIR:-$$PWD/target}/doc/stcn/book/index.html; echo "The book: $$page"; \
	for open in "$$BROWSER" xdg-open open; do "$$open" "$$page" 2> /dev/null && exit; done; true

train: ## MODEL= PRESET= OUT=: train on the embedded handwriting (other data: stcn train --data)
	$(STCN) train --model $(MODEL) --preset $(PRESET) --out $(OUT)

pretrained: ## train the weights that come with the program again, to the same bytes
	rm -rf runs/pretrained
	cargo run --release -- train --preset ink-tiny --out runs/pretrained
	$(STCN) export runs/pretrained --out runs/pretrained/ink-tiny.stcn
	cp runs/pretrained/ink-tiny.stcn data/pretrained/

sample: ## OUT=: draw samples from a run
	$(STCN) sample $(OUT) --out $(OUT)/samples

evaluate: ## OUT=: evaluate a run on its validation part
	$(STCN) evaluate $(OUT)

inspect: ## OUT=: every node of one pass, with value and gradient
	$(STCN) inspect $(OUT)

inspect-html: ## OUT=: a page of one pass of a run, computed in f64, with every gradient beside finite differences
	cargo run --release --features f64 -- inspect $(OUT) --html $(OUT)/pass.html

data: ## figures of the embedded handwriting, and how to draw it
	@$(STCN) data show embedded
	@echo "To draw its first lines: stcn data show embedded --out lines.png"

clean: ## remove what cargo built; runs/ stays
	cargo clean
