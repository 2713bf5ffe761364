//! Detects that a process was copied, before the copy draws a nonce.

/// Says for each draw whether another process may have drawn from the same generator.
///
/// On 64-bit Linux (`shared_counters`, set by `build.rs`) it counts draws in memory that copies of the
/// process share ([`SharedCount`]), so that it sees `_Fork` and raw `clone` as well as `fork`, without a
/// system call. Elsewhere a `fork` handler detects it. Without either, we compare process ids: a system
/// call for each draw.
pub(super) enum ForkGuard {
    #[cfg(shared_counters)]
    SharedCount(SharedCount),
    #[cfg(all(unix, not(shared_counters)))]
    Handler(forkguard::atfork::Guard),
    #[cfg(unix)]
    ProcessId(forkguard::pid::Guard),
    #[cfg(not(unix))]
    NoFork,
}

impl ForkGuard {
    #[cfg(shared_counters)]
    pub(super) fn new() -> Self {
        SharedCount::new().map_or_else(
            || Self::ProcessId(forkguard::pid::Guard::default()),
            Self::SharedCount,
        )
    }

    #[cfg(all(unix, not(shared_counters)))]
    pub(super) fn new() -> Self {
        forkguard::atfork::Guard::try_new().map_or_else(
            |_| Self::ProcessId(forkguard::pid::Guard::default()),
            Self::Handler,
        )
    }

    #[cfg(not(unix))]
    pub(super) fn new() -> Self {
        Self::NoFork
    }

    /// Call this before each draw. If it returns `true`, discard the generator's state.
    #[inline]
    pub(super) fn detected_fork(&mut self) -> bool {
        match self {
            #[cfg(shared_counters)]
            Self::SharedCount(guard) => guard.detected_fork(),
            #[cfg(all(unix, not(shared_counters)))]
            Self::Handler(guard) => guard.detected_fork(),
            #[cfg(unix)]
            Self::ProcessId(guard) => guard.detected_fork(),
            #[cfg(not(unix))]
            Self::NoFork => false,
        }
    }
}

#[cfg(shared_counters)]
pub(super) use shared::SharedCount;

#[cfg(shared_counters)]
mod shared {
    use std::sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    };

    use vm_memory::{MmapRegion, VolatileMemory as _};

    /// Bytes between two counters, so that threads do not contend for a cache line.
    const STRIDE: usize = 128;
    /// Counters in all. Pages of them that nobody has touched take no memory.
    const COUNTERS: usize = 512;

    /// A counter of draws in memory that every copy of this process shares.
    ///
    /// Each draw takes one number. A generator and its copy in another process wait for the same
    /// number, and only one of them gets it: the other sees a gap, and so does the first one at its
    /// next draw. Both then have a seed and a counter that the other has not.
    pub(crate) struct SharedCount {
        counter: &'static AtomicU64,
        next: u64,
    }

    impl SharedCount {
        /// Takes a counter. None comes where the system gives no shared memory.
        pub(super) fn new() -> Option<Self> {
            // The first counter says which one is taken next, by all processes together. Past the
            // last one they begin again: two generators on one counter see forks that never were,
            // and part at once.
            let taken = counter(0)?.fetch_add(1, Relaxed);
            let at = 1 + usize::try_from(taken).ok()? % (COUNTERS - 1);
            let counter = counter(at)?;
            Some(Self {
                counter,
                next: counter.load(Relaxed),
            })
        }

        #[inline]
        pub(super) fn detected_fork(&mut self) -> bool {
            if self.counter.fetch_add(1, Relaxed) == self.next {
                self.next += 1;
                return false;
            }
            self.part();
            true
        }

        /// Goes to a counter that the other process does not use.
        #[cold]
        fn part(&mut self) {
            match Self::new() {
                Some(fresh) => *self = fresh,
                // Cannot be: the memory is there. Every further draw would see a gap.
                None => self.next = u64::MAX,
            }
        }
    }

    fn counter(at: usize) -> Option<&'static AtomicU64> {
        static SHARED: OnceLock<Option<MmapRegion>> = OnceLock::new();
        let region = SHARED.get_or_init(|| {
            let rights = libc::PROT_READ | libc::PROT_WRITE;
            let kind = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
            MmapRegion::build(None, STRIDE * COUNTERS, rights, kind).ok()
        });
        region.as_ref()?.get_atomic_ref(STRIDE * at).ok()
    }
}
