//! A token that is renewed while calls go on: when its life is over, and once when the service refuses it.

use std::{fmt, pin::Pin, time::Duration};

use jiff::{SignedDuration, Timestamp};
use sortie_model::{Clock, Secret};
use tokio::sync::Mutex;

use crate::{OAuthError, Token};

/// Gets the next token.
pub trait Fetch: Send + Sync {
    /// Asks for one.
    fn fetch(&self) -> Fetching<'_>;
}

/// A token on its way.
pub type Fetching<'a> = Pin<Box<dyn Future<Output = Result<Token, OAuthError>> + Send + 'a>>;

/// A token in use. Whoever shares it waits for one renewal together.
pub struct Tokens {
    held: Mutex<Held>,
    fetch: Box<dyn Fetch>,
}

struct Held {
    secret: Secret,
    /// When it should no longer be used; the provider may not have said.
    until: Option<Timestamp>,
    /// Goes up with each renewal.
    generation: u64,
}

impl Tokens {
    /// Begins with a token that was asked for at `asked`.
    pub fn new(token: Token, asked: Timestamp, fetch: Box<dyn Fetch>) -> Self {
        Self { held: Mutex::new(Held::of(token, asked, 0)), fetch }
    }

    /// A token that lives, and which one it is.
    ///
    /// # Errors
    /// [`OAuthError`] when the old one is over and there is no new one.
    pub async fn living(&self, clock: &dyn Clock) -> Result<(Secret, u64), OAuthError> {
        let mut held = self.held.lock().await;
        if held.until.is_some_and(|until| clock.now() >= until) {
            self.renew(&mut held, clock).await?;
        }
        Ok((held.secret.clone(), held.generation))
    }

    /// The token after the one of this generation, which a service has refused.
    ///
    /// # Errors
    /// [`OAuthError`] when there is none.
    pub async fn after(&self, generation: u64, clock: &dyn Clock) -> Result<Secret, OAuthError> {
        let mut held = self.held.lock().await;
        if held.generation == generation {
            self.renew(&mut held, clock).await?;
        }
        Ok(held.secret.clone())
    }

    async fn renew(&self, held: &mut Held, clock: &dyn Clock) -> Result<(), OAuthError> {
        let asked = clock.now();
        *held = Held::of(self.fetch.fetch().await?, asked, held.generation + 1);
        Ok(())
    }
}

impl Held {
    fn of(token: Token, asked: Timestamp, generation: u64) -> Self {
        let until = token.lifetime.and_then(|lifetime| {
            // A short life loses a fifth, a usual one a minute: the call itself takes time.
            let good_for = lifetime - (lifetime / 5).min(MARGIN);
            asked.checked_add(SignedDuration::try_from(good_for).ok()?).ok()
        });
        Self { secret: token.secret, until, generation }
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").finish_non_exhaustive()
    }
}

const MARGIN: Duration = Duration::from_secs(60);
