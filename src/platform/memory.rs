//! Memory of the machine and of this process, in bytes, as `/proc` reports it. `None` on systems
//! without it.

/// Installed main memory.
pub fn installed_memory() -> Option<u64> {
    field("/proc/meminfo", "MemTotal:")
}

/// Main memory that can be taken without swapping.
pub fn available_memory() -> Option<u64> {
    field("/proc/meminfo", "MemAvailable:")
}

/// Resident memory of this process.
pub fn resident_memory() -> Option<u64> {
    field("/proc/self/status", "VmRSS:")
}

/// The most that this process has had resident.
pub fn peak_resident_memory() -> Option<u64> {
    field("/proc/self/status", "VmHWM:")
}

fn field(file: &str, name: &str) -> Option<u64> {
    let text = std::fs::read_to_string(file).ok()?;
    let value = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: u64 = value.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}
