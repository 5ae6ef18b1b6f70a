//! One run on several processes that MPI has started: the same bytes, and nothing lost where one is killed.

#[cfg(not(feature = "mpi"))]
#[test]
fn without_the_feature_several_processes_are_refused_and_one_is_not() {
    use crate::common::{Lab, sentence};
    let lab = Lab::new();
    let list = |name: &str, count: &str| lab.stcn("list").env(name, count).output().unwrap();
    for name in ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE"] {
        assert_eq!(list(name, "1").status.code(), Some(0));
        let refused = list(name, "4");
        assert_eq!(refused.status.code(), Some(2));
        assert_eq!(
            sentence(&refused),
            "MPI has started 4 processes, and this stcn was built without it: install it with `cargo install --path . \
             --features mpi`, or start it without mpirun"
        );
    }
    println!(
        "skipped: runs under mpirun need `cargo test --features mpi`, which `make test` adds where MPI is installed"
    );
}

#[cfg(all(feature = "mpi", not(feature = "f64")))]
mod started {
    use super::super::{TINY, last, sha256};
    use crate::common::{Lab, says, stderr, stdout};
    use serde_json::Value;
    use stcn::train::Checkpoint;
    use std::fs;
    use std::io::{BufRead, BufReader};
    use std::process::{Child, Command, Output, Stdio};

    /// Open MPI's `mpirun -n COUNT stcn WORDS`; `None`, which is told, where there is none.
    fn mpirun(lab: &Lab, count: usize, words: &str) -> Option<Command> {
        let about = Command::new("mpirun").arg("--version").output();
        if !about.is_ok_and(|about| stdout(&about).contains("Open MPI")) {
            println!("skipped: needs Open MPI's mpirun (Debian: openmpi-bin)");
            return None;
        }
        let mut command = Command::new("mpirun");
        command.args(["--oversubscribe", "-n", &count.to_string(), env!("CARGO_BIN_EXE_stcn")]);
        command.args(words.split_whitespace()).current_dir(lab.path(""));
        // A container's only user is root; and it may not trace its own processes.
        command.env("OMPI_ALLOW_RUN_AS_ROOT", "1").env("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1");
        command.env("OMPI_MCA_btl_vader_single_copy_mechanism", "none");
        command.env_remove("CLICOLOR_FORCE");
        Some(command)
    }

    fn lines(output: &Output) -> Vec<Value> {
        let text = stdout(output);
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[track_caller]
    fn ok(mut command: Command) -> Output {
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{command:?}\n{}", stderr(&output));
        output
    }

    #[test]
    fn a_run_ends_in_the_same_checkpoint_on_any_ranks_and_threads_and_instruction_set() {
        let lab = Lab::new();
        let words = format!("train --data ink.npz --steps 6 --set train.eval_every=4 {TINY}");
        let alone = sha256(&lab, &format!("{words} --out alone"));
        for (count, threads, isa) in [(2, 1, ""), (3, 2, ""), (2, 3, "portable")] {
            let words = format!("{words} --threads {threads} --out {count}-{threads} --json");
            let Some(mut command) = mpirun(&lab, count, &words) else { return };
            if !isa.is_empty() {
                command.env("STCN_ISA", isa);
            }
            let lines = lines(&ok(command));
            assert_eq!(last(&lines)["checkpoint_sha256"], *alone, "{count} × {threads} {isa}");
        }
        let files = |run| {
            [
                lab.read(&format!("{run}/checkpoint/best.stcn")),
                lab.read(&format!("{run}/config.toml")),
            ]
        };
        assert!(files("2-1") == files("alone"));
    }

    #[test]
    fn bounds_and_samples_are_the_same_on_several_ranks() {
        let lab = super::super::trained();
        let words = "evaluate run --draws 3 --iwae 4 --json";
        let Some(command) = mpirun(&lab, 3, words) else { return };
        assert_eq!(stdout(&ok(command)), lab.ok(words));
        lab.ok("sample run --count 5 --steps 9 --out alone");
        ok(mpirun(&lab, 3, "sample run --count 5 --steps 9 --out shared").unwrap());
        assert!(lab.read("alone/sample.npz") == lab.read("shared/sample.npz"));
        assert!(lab.read("alone/sample.svg") == lab.read("shared/sample.svg"));
    }

    #[test]
    fn rank_0_alone_refuses_what_is_wrong_or_not_shared_out() {
        let lab = Lab::new();
        for (words, said) in [
            ("train --data nowhere.npz", "nowhere.npz"),
            (
                "list",
                "error: MPI has started 2 processes, and this command is not shared out among them: start it without mpirun",
            ),
            (
                "train --threads 0",
                "error: --threads 0: want 1 or more, or leave it out for all cores",
            ),
            ("trian", "unrecognized subcommand"),
        ] {
            let Some(mut command) = mpirun(&lab, 2, words) else { return };
            let output = command.output().unwrap();
            assert_eq!(output.status.code(), Some(2), "{words}\n{}", stderr(&output));
            assert_eq!(stderr(&output).matches(said).count(), 1, "{words}\n{}", stderr(&output));
        }
        assert!(!lab.path("runs").exists());
    }

    #[test]
    fn a_single_process_under_mpirun_has_every_command() {
        let lab = Lab::new();
        let Some(command) = mpirun(&lab, 1, "list --json") else { return };
        assert_eq!(stdout(&ok(command)), lab.ok("list --json"));
    }

    #[test]
    fn another_program_on_one_of_the_machines_is_refused() {
        let lab = Lab::new();
        let mut other = fs::read(env!("CARGO_BIN_EXE_stcn")).unwrap();
        other.push(0); // behind the end of what is run
        lab.write("other", other);
        assert!(Command::new("chmod").arg("+x").arg(lab.path("other")).status().unwrap().success());
        let Some(mut command) = mpirun(&lab, 1, "verify") else { return };
        command.args([":", "-n", "1", "./other", "verify"]);
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        says(
            &stderr(&output),
            &[
                "error: rank 1 on ",
                "runs another build of stcn than rank 0",
                "start the same program on every machine",
            ],
        );
    }

    /// Starts a long run on two ranks and waits until it prints some words.
    fn begun(
        lab: &Lab,
        words: &str,
        until: &str,
    ) -> Option<(Child, BufReader<std::process::ChildStdout>)> {
        let mut command = mpirun(lab, 2, words)?;
        let mut run = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stdout = BufReader::new(run.stdout.take().unwrap());
        let mut line = String::new();
        while !line.contains(until) {
            line.clear();
            assert!(stdout.read_line(&mut line).unwrap() > 0, "ended before {until}");
        }
        Some((run, stdout))
    }

    /// Asserts that the run `cut` goes on, on three ranks, to the bytes of one that was never stopped.
    fn goes_on(lab: &Lab, words: &str) -> u64 {
        let step = Checkpoint::load(&lab.path("cut/checkpoint/latest.stcn")).unwrap().header.step;
        let steps = step + 3;
        ok(mpirun(lab, 3, &format!("train --resume cut --steps {steps}")).unwrap());
        lab.ok(&format!("train --out straight --steps {steps} {words}"));
        let latest = |run| lab.read(&format!("{run}/checkpoint/latest.stcn"));
        assert!(latest("cut") == latest("straight"));
        step
    }

    const LONG: &str = "--steps 100000000 --minutes 2 --out cut --json --threads 1";

    #[test]
    fn a_killed_rank_ends_the_run_on_all_and_loses_no_checkpoint() {
        let lab = Lab::new();
        let words = format!("--data ink.npz --set train.eval_every=5 {TINY}");
        let Some((run, mut stdout)) =
            begun(&lab, &format!("train {LONG} {words}"), "valid_elbo_seq")
        else {
            return;
        };
        let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", run.id()));
        let rank = |pid: &&str| {
            let environ = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environ.split(|&byte| byte == 0).any(|line| line == b"OMPI_COMM_WORLD_RANK=1")
        };
        let children = children.unwrap();
        let pid = children.split_whitespace().find(rank).expect("rank 1");
        assert!(Command::new("kill").args(["-9", pid]).status().unwrap().success());
        while stdout.read_line(&mut String::new()).unwrap() > 0 {}
        let output = run.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(137));
        says(&stderr(&output), &["process rank 1", "exited on signal 9"]);
        assert!(goes_on(&lab, &words) >= 5);
    }

    #[test]
    fn ctrl_c_on_mpirun_saves() {
        let lab = Lab::new();
        // Few lines: mpirun reads none from Ctrl-C on, and a rank that waits to write one cannot save.
        let words = "--set train.valid_sequences=4";
        let Some((run, mut stdout)) = begun(&lab, &format!("train {LONG} {words}"), "loss") else {
            return;
        };
        let id = run.id().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
        let (mut line, mut last) = (String::new(), String::new());
        while stdout.read_line(&mut line).unwrap() > 0 {
            last = std::mem::take(&mut line);
        }
        let output = run.wait_with_output().unwrap();
        let done: Value = serde_json::from_str(&last)
            .unwrap_or_else(|e| panic!("{e}: {last} {}", stderr(&output)));
        assert_eq!(done["done"], false, "{last}");
        assert_eq!(done["step"], goes_on(&lab, words));
    }

    /// Two network namespaces with a cable between them, on each end of which so many Mbit/s go out; they go with this.
    struct Hosts {
        dir: tempfile::TempDir,
    }

    fn shell(script: &str) -> Output {
        Command::new("sh").args(["-ec", script]).output().unwrap()
    }

    impl Hosts {
        fn new() -> Result<Self, String> {
            let made = shell(
                "ip netns add stcn-a; ip netns add stcn-b
                ip link add va netns stcn-a type veth peer name vb netns stcn-b
                for end in a:1 b:2; do n=${end%:*}
                ip -n stcn-$n addr add 10.99.0.${end#*:}/24 dev v$n
                ip -n stcn-$n link set v$n up; ip -n stcn-$n link set lo up; done",
            );
            let hosts = Self { dir: tempfile::TempDir::new().unwrap() };
            if !made.status.success() {
                return Err(stderr(&made));
            }
            // What mpirun calls instead of ssh: the host, then what to run there.
            let agent = "#!/bin/sh\nshift\nexec ip netns exec stcn-b unshare -u sh -c \"hostname stcn-b; $*\"\n";
            fs::write(hosts.dir.path().join("agent"), agent).unwrap();
            assert!(
                shell(&format!("chmod +x {}/agent", hosts.dir.path().display())).status.success()
            );
            Ok(hosts)
        }

        fn limit(&self, mbit: usize) {
            for end in ["a", "b"] {
                let queue = format!("rate {mbit}mbit burst 128kb latency 50ms");
                let limited = shell(&format!(
                    "ip netns exec stcn-{end} tc qdisc replace dev v{end} root tbf {queue}"
                ));
                assert!(limited.status.success(), "{}", stderr(&limited));
            }
        }

        fn mpirun(&self, lab: &Lab, words: &str) -> Output {
            let (agent, stcn) = (self.dir.path().join("agent"), env!("CARGO_BIN_EXE_stcn"));
            let network = "10.99.0.0/24";
            let mpirun = format!(
                "hostname stcn-a; exec mpirun -n 2 --host 10.99.0.1,10.99.0.2 --bind-to none --mca plm_rsh_agent {} \
                 --mca btl tcp,self --mca btl_tcp_if_include {network} --mca oob_tcp_if_include {network} {stcn} {words}",
                agent.display()
            );
            let mut command = Command::new("ip");
            command.args(["netns", "exec", "stcn-a", "unshare", "-u", "sh", "-ec", &mpirun]);
            command.env("OMPI_ALLOW_RUN_AS_ROOT", "1").env("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1");
            command.current_dir(lab.path("")).output().unwrap()
        }
    }

    impl Drop for Hosts {
        fn drop(&mut self) {
            shell("ip netns del stcn-a; ip netns del stcn-b");
        }
    }

    /// ms per update.
    fn pace(lines: &[Value]) -> f64 {
        // From the first report to the last: the first updates also connect the hosts.
        let of = |line: &Value| Some((line["step"].as_f64()?, line["seconds"].as_f64()?));
        let reports: Vec<_> =
            lines.iter().filter(|line| line.get("loss").is_some()).filter_map(of).collect();
        let (first, last) = (reports[0], reports[reports.len() - 1]);
        1000. * (last.1 - first.1) / (last.0 - first.0)
    }

    #[test]
    #[ignore = "some minutes, and needs root, for network namespaces"]
    fn two_hosts_on_a_network_of_any_speed_end_in_the_same_checkpoint() {
        let lab = Lab::new();
        if mpirun(&lab, 1, "list").is_none() {
            return;
        }
        let hosts = match Hosts::new() {
            Ok(hosts) => hosts,
            Err(said) => return println!("skipped: no network namespaces here: {said}"),
        };
        for (name, sizes, steps) in [("ink-small", "", 40), ("ink", "--set data.crop=200", 12)] {
            let words = format!(
                "train --preset {name} {sizes} --steps {steps} --set train.eval_every=1000000 --set train.valid_sequences=1 \
                 --threads 1 --json"
            );
            let alone = lab.json(&format!("{} --out {name}-alone", words.replace(" --json", "")));
            let sha = &last(&alone)["checkpoint_sha256"];
            println!("{name}: alone {:.0} ms", pace(&alone));
            for mbit in [10_000, 1000, 100] {
                hosts.limit(mbit);
                let output = hosts.mpirun(&lab, &format!("{words} --out {name}-{mbit}"));
                assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
                let lines = lines(&output);
                assert_eq!(&last(&lines)["checkpoint_sha256"], sha);
                let (one, two) = (pace(&alone), pace(&lines));
                println!(
                    "{name}: two hosts, {mbit} Mbit/s: {two:.0} ms, efficiency {:.2}",
                    one / two / 2.
                );
            }
        }
    }
}
