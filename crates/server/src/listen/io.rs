//! A connection whose other end must keep up: one that sends nothing at first, or takes nothing any more, is cut off.

use std::{
    future::Future as _,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep},
};

/// Waits so long and no longer.
pub(super) struct Patient<S> {
    inner: S,
    /// Until the first byte has come.
    first: Option<Pin<Box<Sleep>>>,
    /// While what is to go out does not.
    stuck: Option<Pin<Box<Sleep>>>,
}

impl<S> Patient<S> {
    pub(super) fn new(inner: S) -> Self {
        Self { inner, first: Some(Box::pin(tokio::time::sleep(FIRST_BYTE_WITHIN))), stuck: None }
    }

    /// Whether it is time to give up on a write that cannot go on.
    fn stuck(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        let sleep = self.stuck.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(Instant::now() + STUCK_MAX)));
        ready!(sleep.as_mut().poll(context));
        Poll::Ready(io::Error::new(io::ErrorKind::TimedOut, "the other end takes nothing any more"))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let read = Pin::new(&mut this.inner).poll_read(context, buffer);
        match (&read, &mut this.first) {
            (Poll::Ready(_), _) => this.first = None,
            (Poll::Pending, Some(sleep)) => {
                ready!(sleep.as_mut().poll(context));
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "nothing was sent")));
            }
            (Poll::Pending, None) => {}
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        match Pin::new(&mut this.inner).poll_write(context, bytes) {
            Poll::Pending => this.stuck(context).map(Err),
            written => {
                this.stuck = None;
                written
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        match Pin::new(&mut this.inner).poll_flush(context) {
            Poll::Pending => this.stuck(context).map(Err),
            flushed => {
                this.stuck = None;
                flushed
            }
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        match Pin::new(&mut this.inner).poll_shutdown(context) {
            Poll::Pending => this.stuck(context).map(Err),
            done => done,
        }
    }
}

const FIRST_BYTE_WITHIN: Duration = Duration::from_secs(15);
const STUCK_MAX: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    /// The clock stands still until nothing else can go on.
    async fn bounded<T>(waits: impl Future<Output = T>) -> T {
        tokio::time::timeout(Duration::from_secs(3_600), waits).await.expect("it gives up")
    }

    #[tokio::test(start_paused = true)]
    async fn who_takes_nothing_is_cut_off_and_who_is_slow_is_not() {
        let (mut far, near) = duplex(64);
        let mut near = Patient::new(near);
        let slow = async {
            let mut taken = [0; 64];
            for _ in 0..4 {
                tokio::time::sleep(Duration::from_secs(29)).await;
                far.read_exact(&mut taken).await.unwrap();
            }
        };
        let (written, ()) = tokio::join!(near.write_all(&[7; 5 * 64]), slow);
        written.unwrap();
        let start = Instant::now();
        let error = bounded(near.write_all(&[7; 64])).await.unwrap_err();
        assert_eq!((error.kind(), start.elapsed().as_secs()), (io::ErrorKind::TimedOut, 30));
    }

    #[tokio::test(start_paused = true)]
    async fn who_says_nothing_at_first_is_cut_off_and_later_may_be_silent() {
        let (_far, near) = duplex(64);
        let error = bounded(Patient::new(near).read_u8()).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        let (mut far, near) = duplex(64);
        let mut near = Patient::new(near);
        far.write_u8(1).await.unwrap();
        assert_eq!(near.read_u8().await.unwrap(), 1);
        let later = async {
            tokio::time::sleep(Duration::from_secs(600)).await;
            far.write_u8(2).await.unwrap();
        };
        let (read, ()) = tokio::join!(near.read_u8(), later);
        assert_eq!(read.unwrap(), 2);
    }
}
