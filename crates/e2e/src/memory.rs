//! How much memory a process of the stack took.

use std::{fs, path::Path};

/// A process that is watched.
pub struct Memory {
    name: String,
    pid: u64,
    idle_kib: u64,
}

impl Memory {
    /// Begins to watch a process of the stack.
    pub fn of(name: &str) -> Self {
        let stack = std::env::var("MILLRACE_TEST_STACK").expect("run the tests with `make test`");
        let file = Path::new(&stack).with_file_name("state.json");
        let text = fs::read_to_string(file).expect("the stack's state can be read");
        let states: serde_json::Value = serde_json::from_str(&text).expect("the stack's state is JSON");
        let process = states.as_array().expect("it is a list").iter().find(|process| process["name"] == name);
        let pid = process.and_then(|process| process["pid"].as_u64()).expect("the process runs");
        Self::of_pid(name, pid)
    }

    pub fn of_pid(name: &str, pid: u64) -> Self {
        // 5 resets the highest mark. Where that is not allowed, the mark is higher than what is asked for, never lower.
        let _ = fs::write(format!("/proc/{pid}/clear_refs"), "5");
        Self { name: name.to_owned(), pid, idle_kib: field(pid, "VmRSS:") }
    }

    /// The most that it held since the beginning, over what it held then, in MiB.
    pub fn grown_mib(&self) -> u64 {
        field(self.pid, "VmHWM:").saturating_sub(self.idle_kib) / 1024
    }

    /// What it holds now, over what it held in the beginning, in MiB.
    pub fn now_mib(&self) -> u64 {
        field(self.pid, "VmRSS:").saturating_sub(self.idle_kib) / 1024
    }

    /// Fails where it grew beyond the bound, or was restarted.
    pub fn assert_within(&self, mib: u64) {
        let grown = self.grown_mib();
        assert!(grown <= mib, "{} grew by {grown} MiB, {mib} are allowed", self.name);
        eprintln!("{} grew by {grown} MiB", self.name);
    }
}

fn field(pid: u64, name: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process still runs");
    let line = text.lines().find_map(|line| line.strip_prefix(name)).expect("the kernel tells");
    line.trim().trim_end_matches(" kB").parse().expect("it is a number")
}
