//! Waiting for remote calls without a runtime, and inside of one.

use std::{
    future::poll_fn,
    pin::pin,
    sync::{Arc, mpsc},
    task::Poll,
    thread,
    time::Duration,
};

use keyseal::{
    Aead as _, BoxFuture, KmsError, RemoteAead,
    kms::blocking::{BlockingAead, Worker},
};

/// Turns the plaintext around, after a wait on tokio's clock and a hop through a task.
#[derive(Clone)]
struct Slow;

impl RemoteAead for Slow {
    fn encrypt<'a>(
        &'a self,
        plaintext: &'a [u8],
        _: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, KmsError>> {
        Box::pin(async move {
            tokio::time::sleep(Duration::from_micros(100)).await;
            let mut reversed = plaintext.to_vec();
            reversed.reverse();
            Ok(tokio::spawn(async move { reversed }).await.unwrap())
        })
    }

    fn decrypt<'a>(
        &'a self,
        ciphertext: &'a [u8],
        associated_data: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, KmsError>> {
        self.encrypt(ciphertext, associated_data)
    }
}

fn round_trip(kek: &BlockingAead) {
    assert_eq!(kek.encrypt(b"abc", b"").unwrap(), b"cba");
    assert_eq!(kek.decrypt(b"cba", b"").unwrap(), b"abc");
}

/// Fails instead of hanging.
fn within_ten_seconds(work: impl FnOnce() + Send + 'static) {
    let (done, finished) = mpsc::channel();
    let worker = thread::spawn(move || {
        work();
        done.send(()).unwrap();
    });
    if finished.recv_timeout(Duration::from_secs(10)).is_err() {
        // Either it has panicked, or it hangs.
        assert!(worker.is_finished(), "it hangs");
        worker.join().unwrap();
    }
}

#[test]
fn calls_wait_where_there_is_no_runtime() {
    within_ten_seconds(|| round_trip(&BlockingAead::new(&Worker::new().unwrap(), Slow)));
}

#[test]
fn calls_wait_inside_a_runtime_of_one_thread() {
    within_ten_seconds(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let worker = Worker::new().unwrap();
            round_trip(&BlockingAead::new(&worker, Slow));
            // The surrounding runtime still works.
            tokio::time::sleep(Duration::from_millis(1)).await;
        });
    });
}

#[test]
fn a_thousand_calls_in_one_poll_of_a_task_do_not_use_up_its_share() {
    within_ten_seconds(|| {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let task = runtime.spawn(async {
            let kek = BlockingAead::new(&Worker::new().unwrap(), Slow);
            (0..500).for_each(|_| round_trip(&kek));
        });
        runtime.block_on(task).unwrap();
    });
}

#[test]
fn a_call_inside_a_call_does_not_swallow_its_wake_up() {
    within_ten_seconds(|| {
        let worker = Worker::new().unwrap();
        worker.run(async {
            let mut outer = pin!(tokio::time::sleep(Duration::from_millis(1)));
            let mut polls = 0;
            poll_fn(|context| {
                polls += 1;
                if outer.as_mut().poll(context).is_ready() {
                    return Poll::Ready(());
                }
                if polls == 1 {
                    // Meanwhile the outer sleep is over, and has said so.
                    worker.run(tokio::time::sleep(Duration::from_millis(50)));
                }
                Poll::Pending
            })
            .await;
        });
    });
}

#[test]
fn many_threads_share_a_worker() {
    within_ten_seconds(|| {
        let kek = Arc::new(BlockingAead::new(&Worker::new().unwrap(), Slow));
        thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| (0..20).for_each(|_| round_trip(&kek)));
            }
        });
    });
}

#[test]
fn workers_can_be_dropped_anywhere() {
    within_ten_seconds(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async { drop(Worker::new().unwrap()) });
        let worker = Worker::new().unwrap();
        // The last clone goes on the worker's own thread.
        let own = worker.clone();
        worker.run(async {
            drop(tokio::spawn(async move { drop(own) }));
        });
        drop(worker);
    });
}

#[cfg(feature = "scaleway")]
#[test]
fn a_client_can_be_used_without_a_runtime() {
    use keyseal::{
        KmsErrorKind,
        kms::scaleway::{RetryPolicy, ScalewayClient},
    };

    within_ten_seconds(|| {
        // Nobody listens here: that much is found out by a real connection.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        let client = ScalewayClient::builder()
            .secret_key("11111111-1111-4111-8111-111111111111")
            .region("fr-par")
            .api_url(&url)
            .retry_policy(RetryPolicy::new().max_attempts(2))
            .build()
            .unwrap();
        let error = Worker::new()
            .unwrap()
            .run(client.list_algorithms(&[]))
            .unwrap_err();
        assert_eq!(
            (error.kind(), error.attempts()),
            (KmsErrorKind::Unreachable, 2)
        );
    });
}
