//! The synchronization of the cache under a model checker: its source files, compiled with
//! shuttle's locks and atomics instead of those of the standard library.

#![allow(
    dead_code,
    unused_imports,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "tests"
)]
#![cfg(all(feature = "cache", not(target_arch = "s390x")))]

mod error {
    pub use keyseal::KmsError;
}
mod remote {
    pub use keyseal::BoxFuture;
}

#[path = "../src/envelope/cache"]
mod cache {
    pub mod budget;
    pub mod flight;
    pub mod outage;
    pub mod slot;

    /// In place of `src/envelope/cache/sync.rs`.
    mod sync {
        pub use std::sync::PoisonError;

        pub use shuttle::sync::{
            Mutex, MutexGuard,
            atomic::{AtomicBool, AtomicU64, Ordering},
        };

        pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
            mutex.lock().unwrap_or_else(PoisonError::into_inner)
        }

        /// `arc_swap`'s type, as far as it is used, with a lock that shuttle knows.
        pub struct ArcSwapOption<T>(Mutex<Option<std::sync::Arc<T>>>);

        impl<T> ArcSwapOption<T> {
            pub fn from(value: Option<std::sync::Arc<T>>) -> Self {
                Self(Mutex::new(value))
            }

            pub fn load(&self) -> Option<std::sync::Arc<T>> {
                lock(&self.0).clone()
            }

            pub fn load_full(&self) -> Option<std::sync::Arc<T>> {
                self.load()
            }

            pub fn store(&self, value: Option<std::sync::Arc<T>>) {
                drop(self.swap(value));
            }

            pub fn swap(&self, value: Option<std::sync::Arc<T>>) -> Option<std::sync::Arc<T>> {
                std::mem::replace(&mut *lock(&self.0), value)
            }
        }
    }

    #[cfg(test)]
    mod tests {
        use std::{sync::Arc, time::Duration};

        use keyseal::{KmsError, KmsErrorKind};
        use shuttle::{
            check_pct, check_random, future,
            sync::atomic::{AtomicU64, Ordering},
            thread,
        };

        use super::{
            budget::{Amount, Budget},
            outage::Outage,
            slot::{Active, Failures, Slot, Turn},
        };

        const ITERATIONS: usize = 2000;
        const NOW: Duration = Duration::from_secs(1);

        fn explore(test: impl Fn() + Send + Sync + Copy + 'static) {
            check_random(test, ITERATIONS);
            check_pct(test, ITERATIONS, 3);
        }

        #[test]
        fn a_budget_gives_all_it_has_and_never_more() {
            explore(|| {
                let total = Amount {
                    messages: 40,
                    bytes: 100,
                };
                let budget = Arc::new(Budget::new(total, 2));
                let taken = Arc::new(AtomicU64::new(0));
                let lasts = Arc::new(AtomicU64::new(0));
                let threads: Vec<_> = (0..3)
                    .map(|number| {
                        let (budget, taken, lasts) = (budget.clone(), taken.clone(), lasts.clone());
                        thread::spawn(move || {
                            for _ in 0..20 {
                                if let Some(took) = budget.take(2, number) {
                                    taken.fetch_add(1, Ordering::Relaxed);
                                    lasts.fetch_add(u64::from(took.last), Ordering::Relaxed);
                                }
                            }
                        })
                    })
                    .collect();
                threads
                    .into_iter()
                    .for_each(|thread| thread.join().unwrap());
                // 60 attempts, and messages for 40.
                assert_eq!(taken.load(Ordering::Relaxed), 40);
                assert_eq!(
                    budget.used(),
                    Amount {
                        messages: 40,
                        bytes: 80
                    }
                );
                // Two that take the last ones together may both be told.
                assert!((1..=3).contains(&lasts.load(Ordering::Relaxed)));
                assert!(budget.take(0, 0).is_none());
            });
        }

        #[test]
        fn a_budget_is_not_refused_while_another_stripe_has_some() {
            explore(|| {
                let total = Amount {
                    messages: 10,
                    bytes: 100,
                };
                let budget = Arc::new(Budget::new(total, 2));
                let other = budget.clone();
                let thread = thread::spawn(move || other.take(1, 1).is_some());
                assert!(budget.take(1, 0).is_some());
                assert!(thread.join().unwrap());
                assert!(budget.take(98, 0).is_some());
            });
        }

        /// A cache of one slot: each key is a number, and has two messages.
        struct Toy {
            slot: Arc<Slot<u64>>,
            fetched: Arc<AtomicU64>,
            /// The calls at this moment. Not one of shuttle's: it is no place to switch threads.
            running: Arc<std::sync::atomic::AtomicU64>,
        }

        /// A call that runs until this is dropped.
        struct Running(Arc<std::sync::atomic::AtomicU64>);

        impl Running {
            fn alone(running: Arc<std::sync::atomic::AtomicU64>) -> Self {
                assert_eq!(
                    running.fetch_add(1, Ordering::Relaxed),
                    0,
                    "two calls at once"
                );
                Self(running)
            }
        }

        impl Drop for Running {
            fn drop(&mut self) {
                self.0.fetch_sub(1, Ordering::Relaxed);
            }
        }

        impl Toy {
            fn new() -> Arc<Self> {
                Arc::new(Self {
                    slot: Arc::new(Slot::new()),
                    fetched: Arc::default(),
                    running: Arc::default(),
                })
            }

            fn fetch(&self, fails: bool) -> keyseal::BoxFuture<'static, Result<(), KmsError>> {
                let (slot, fetched) = (self.slot.clone(), self.fetched.clone());
                let running = self.running.clone();
                Box::pin(async move {
                    let _running = Running::alone(running);
                    future::yield_now().await;
                    let id = fetched.fetch_add(1, Ordering::Relaxed);
                    future::yield_now().await;
                    if fails {
                        slot.failed(NOW);
                        return Err(KmsErrorKind::Unavailable.into());
                    }
                    let total = Amount {
                        messages: 2,
                        bytes: 100,
                    };
                    let active = Active::new(id, id, Budget::new(total, 1), NOW);
                    slot.install(Arc::new(active));
                    Ok(())
                })
            }

            async fn encrypt(&self) -> Result<u64, KmsError> {
                loop {
                    let used = self
                        .slot
                        .take(1, 0, NOW, |active, taken| (active.dek, taken.last));
                    let seen = match used {
                        Ok((dek, last)) => {
                            if last {
                                self.slot.retire(dek, NOW);
                            }
                            return Ok(dek);
                        }
                        Err(seen) => seen,
                    };
                    let (_, turn) = self.slot.turn_over(seen, NOW, |_| self.fetch(false));
                    if let Turn::Wait(flight) = turn {
                        flight.await?;
                    }
                }
            }
        }

        #[test]
        fn callers_share_a_flight_and_every_key_is_used_up() {
            explore(|| {
                let toy = Toy::new();
                let calls: Vec<_> = (0..6)
                    .map(|_| {
                        let toy = toy.clone();
                        future::spawn(async move { toy.encrypt().await.unwrap() })
                    })
                    .collect();
                let mut uses = [0; 8];
                for call in calls {
                    let dek = future::block_on(call).unwrap();
                    uses[usize::try_from(dek).unwrap()] += 1;
                }
                assert_eq!(uses, [2, 2, 2, 0, 0, 0, 0, 0]);
                assert_eq!(toy.fetched.load(Ordering::Relaxed), 3);
                assert!(toy.slot.current().is_none());
            });
        }

        #[test]
        fn callers_that_are_dropped_leave_the_call_to_the_others() {
            explore(|| {
                let toy = Toy::new();
                let calls: Vec<_> = (0..4)
                    .map(|_| {
                        let toy = toy.clone();
                        future::spawn(async move { toy.encrypt().await.unwrap() })
                    })
                    .collect();
                for call in calls.iter().skip(1) {
                    call.abort();
                }
                for (at, call) in calls.into_iter().enumerate() {
                    let outcome = future::block_on(call);
                    assert!(outcome.is_ok() || at > 0);
                }
                // At most the keys that were used, and a call for each caller who gave up.
                assert!(toy.fetched.load(Ordering::Relaxed) <= 5);
                assert_eq!(toy.running.load(Ordering::Relaxed), 0);
            });
        }

        #[test]
        fn a_failure_reaches_every_waiting_caller_and_is_not_kept() {
            explore(|| {
                let toy = Toy::new();
                let calls: Vec<_> = (0..3)
                    .map(|_| {
                        let toy = toy.clone();
                        future::spawn(async move {
                            let (_, turn) = toy.slot.turn_over(None, NOW, |_| toy.fetch(true));
                            match turn {
                                Turn::Wait(flight) => flight.await.is_err(),
                                Turn::Retry => false,
                            }
                        })
                    })
                    .collect();
                for call in calls {
                    assert!(future::block_on(call).unwrap());
                }
                let mut failures = 0;
                let (_, turn) = toy.slot.turn_over(None, NOW, |known: Failures| {
                    failures = known.count;
                    toy.fetch(false)
                });
                assert!(failures > 0 && matches!(turn, Turn::Wait(_)));
                assert!(future::block_on(toy.encrypt()).is_ok());
            });
        }

        #[test]
        fn one_caller_at_a_time_tries_a_service_that_was_down() {
            explore(|| {
                let outage = Arc::new(Outage::new());
                outage.notice(NOW);
                assert!(!outage.may_ask(NOW));
                let later = NOW + Duration::from_secs(60);
                let asked = Arc::new(AtomicU64::new(0));
                let threads: Vec<_> = (0..3)
                    .map(|_| {
                        let (outage, asked) = (outage.clone(), asked.clone());
                        thread::spawn(move || {
                            if outage.may_ask(later) {
                                asked.fetch_add(1, Ordering::Relaxed);
                            }
                        })
                    })
                    .collect();
                threads
                    .into_iter()
                    .for_each(|thread| thread.join().unwrap());
                assert_eq!(asked.load(Ordering::Relaxed), 1);
                outage.is_over();
                assert!(outage.may_ask(later) && outage.may_ask(later));
            });
        }
    }
}
