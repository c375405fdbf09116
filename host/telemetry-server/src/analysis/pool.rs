//! Threads of their own for metric calls: bounded in number and in what may wait, so that a slow metric delays other reports only.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use tokio::sync::{Semaphore, oneshot};

type Job = Box<dyn FnOnce() + Send>;

/// The pool. Its threads end when it is dropped and the jobs at work are done.
#[derive(Debug)]
pub struct MetricPool {
    sender: SyncSender<Job>,
    apart: Arc<Semaphore>,
}

/// Jobs on threads of their own, at one time.
const APART: usize = 16;

/// Why a job gave no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PoolError {
    /// As many jobs wait as may.
    #[error("too many reports are waiting")]
    Full,
    /// The job did not end as it should; the pool goes on.
    #[error("the report was given up")]
    Lost,
}

impl MetricPool {
    /// Starts `threads` (at least one), before which up to `waiting` jobs may wait.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(threads: usize, waiting: usize) -> std::io::Result<Self> {
        let (sender, receiver) = sync_channel::<Job>(waiting);
        let receiver = Arc::new(Mutex::new(receiver));
        for index in 0..threads.max(1) {
            let receiver = Arc::clone(&receiver);
            thread::Builder::new().name(format!("metric-{index}")).spawn(move || work(&receiver))?;
        }
        Ok(MetricPool { sender, apart: Arc::new(Semaphore::new(APART)) })
    }

    /// Runs `job` on a thread of the pool. A job whose caller has gone before its turn is not run.
    ///
    /// # Errors
    /// [`PoolError`].
    pub async fn run<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> Result<T, PoolError> {
        let (answer, answered) = oneshot::channel();
        let job = Box::new(move || {
            if !answer.is_closed() {
                let _ = answer.send(job());
            }
        });
        self.sender.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => PoolError::Full,
            TrySendError::Disconnected(_) => PoolError::Lost,
        })?;
        answered.await.map_err(|_| PoolError::Lost)
    }

    /// Runs `job`, which may wait for something, on a thread of its own, so that no other waits with it.
    ///
    /// # Errors
    /// [`PoolError`].
    pub async fn run_apart<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> Result<T, PoolError> {
        let permit = Arc::clone(&self.apart).try_acquire_owned().map_err(|_| PoolError::Full)?;
        let (answer, answered) = oneshot::channel();
        let job = move || {
            let _ = answer.send(job());
            drop(permit);
        };
        thread::Builder::new().name("metric-apart".into()).spawn(job).map_err(|_| PoolError::Full)?;
        answered.await.map_err(|_| PoolError::Lost)
    }
}

fn work(receiver: &Mutex<Receiver<Job>>) {
    loop {
        let job = receiver.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        // A panic is a bug of ours; it must not take the thread, or reports would end one after the other.
        let _ = catch_unwind(AssertUnwindSafe(job));
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;

    use super::*;

    #[tokio::test]
    async fn survives_a_job_that_panics() {
        let pool = MetricPool::start(1, 4).unwrap();
        assert_eq!(pool.run(|| 1).await, Ok(1));
        assert_eq!(pool.run(|| -> u8 { panic!("on purpose") }).await, Err(PoolError::Lost));
        assert_eq!(pool.run(|| 2).await, Ok(2));
    }

    #[tokio::test]
    async fn refuses_more_than_may_wait() {
        let pool = Arc::new(MetricPool::start(1, 1).unwrap());
        let (started, begun) = oneshot::channel();
        let (release, held) = std::sync::mpsc::channel::<()>();
        let busy = tokio::spawn({
            let pool = Arc::clone(&pool);
            async move {
                let job = move || {
                    let _ = started.send(());
                    held.recv().is_ok()
                };
                pool.run(job).await
            }
        });
        begun.await.unwrap();
        let mut waiting = Box::pin(pool.run(|| 2));
        assert!(std::future::poll_fn(|context| std::task::Poll::Ready(waiting.as_mut().poll(context).is_pending())).await);
        assert_eq!(pool.run(|| 3).await, Err(PoolError::Full));
        release.send(()).unwrap();
        assert_eq!(busy.await.unwrap(), Ok(true));
        assert_eq!(waiting.await, Ok(2));
    }
}
