//! Two bells for one task: which of its two halves wants to be polled.
//!
//! A connection and what is open on it wake each other all the time. As one task they would wake that task, which tokio
//! then puts at the end of its queue and wakes another thread for; measured: a quarter of what a beat costs. While the
//! task runs, a bell only notes that it was rung.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    task::{Context, Wake, Waker},
};

/// The bells of one task.
#[derive(Debug)]
pub(super) struct Bells {
    task: Arc<Task>,
    wire: Bell,
    open: Bell,
}

/// One bell: the waker that rings it.
#[derive(Debug)]
pub(super) struct Bell {
    ringer: Arc<Ringer>,
    waker: Waker,
}

#[derive(Debug)]
struct Task {
    running: AtomicBool,
    waker: Mutex<Waker>,
}

#[derive(Debug)]
struct Ringer {
    rung: AtomicBool,
    task: Arc<Task>,
}

impl Bells {
    /// Both rung: everything is polled at first.
    pub(super) fn new() -> Self {
        let waker = Mutex::new(Waker::noop().clone());
        let task = Arc::new(Task { running: AtomicBool::new(false), waker });
        Self { wire: Bell::of(&task), open: Bell::of(&task), task }
    }

    /// The bell of the connection itself.
    pub(super) const fn wire(&self) -> &Bell {
        &self.wire
    }

    /// The bell of what is open on it.
    pub(super) const fn open(&self) -> &Bell {
        &self.open
    }

    /// The task runs: from now on bells only note that they were rung.
    pub(super) fn enter(&self, cx: &Context<'_>) {
        self.task.running.store(true, SeqCst);
        let mut waker = self.task.waker.lock().unwrap_or_else(PoisonError::into_inner);
        if !waker.will_wake(cx.waker()) {
            waker.clone_from(cx.waker());
        }
    }

    /// The task is about to sleep. Whoever rang since the last look wakes it again.
    pub(super) fn leave(&self) {
        self.task.running.store(false, SeqCst);
        if self.wire.is_rung() || self.open.is_rung() {
            self.task.wake();
        }
    }
}

impl Bell {
    fn of(task: &Arc<Task>) -> Self {
        let ringer = Arc::new(Ringer { rung: AtomicBool::new(true), task: Arc::clone(task) });
        Self { waker: Waker::from(Arc::clone(&ringer)), ringer }
    }

    /// What is to ring it.
    pub(super) fn context(&self) -> Context<'_> {
        Context::from_waker(&self.waker)
    }

    /// Rings it.
    pub(super) fn ring(&self) {
        self.waker.wake_by_ref();
    }

    /// Whether it was rung since this was last asked.
    pub(super) fn answer(&self) -> bool {
        self.ringer.rung.swap(false, SeqCst)
    }

    fn is_rung(&self) -> bool {
        self.ringer.rung.load(SeqCst)
    }
}

impl Task {
    fn wake(&self) {
        self.waker.lock().unwrap_or_else(PoisonError::into_inner).wake_by_ref();
    }
}

impl Wake for Ringer {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Noted first: a task that is just leaving either sees it or is seen to have left.
        self.rung.store(true, SeqCst);
        if !self.task.running.load(SeqCst) {
            self.task.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, SeqCst);
        }
    }

    #[test]
    fn a_bell_wakes_a_sleeping_task_and_only_notes_it_while_the_task_runs() {
        let (bells, count) = (Bells::new(), Arc::new(Count::default()));
        let waker = Waker::from(Arc::clone(&count));
        let woken = || count.0.load(SeqCst);
        bells.enter(&Context::from_waker(&waker));
        assert!(bells.wire().answer() && bells.open().answer(), "everything is polled at first");
        bells.wire().ring();
        assert_eq!((woken(), bells.open().answer(), bells.wire().answer()), (0, false, true));
        bells.leave();
        assert_eq!(woken(), 0, "it was answered");
        bells.open().ring();
        assert_eq!((woken(), bells.open().answer()), (1, true));
        bells.enter(&Context::from_waker(&waker));
        bells.open().ring();
        bells.leave();
        assert_eq!(woken(), 2, "rung after the last look");
    }
}
