//! What is asked again and again and changes seldom, kept until a commit changes anything of its kinds. One process has the
//! file, and all of its writes pass one thread: what is kept is what a read would find.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, MutexGuard},
};

/// Answers by question.
#[derive(Debug)]
pub(crate) struct Cache<K, V> {
    kept: Mutex<Kept<K, V>>,
}

#[derive(Debug)]
struct Kept<K, V> {
    /// Of the settings that the answers are about.
    edition: u64,
    answers: HashMap<K, V>,
}

impl<K, V> Default for Cache<K, V> {
    fn default() -> Self {
        Self { kept: Mutex::new(Kept { edition: 0, answers: HashMap::new() }) }
    }
}

impl<K: Eq + Hash, V: Clone> Cache<K, V> {
    /// The answer, where it is of this edition.
    pub(crate) fn get(&self, edition: u64, question: &K) -> Option<V> {
        let kept = self.kept();
        kept.answers.get(question).filter(|_| kept.edition == edition).cloned()
    }

    /// Keeps an answer that was read at this edition or after it. One that is older than what is kept is let go.
    pub(crate) fn put(&self, edition: u64, question: K, answer: V) {
        let mut kept = self.kept();
        if edition < kept.edition {
            return;
        }
        if edition > kept.edition || kept.answers.len() >= ANSWERS_MAX {
            kept.edition = edition;
            kept.answers.clear();
        }
        kept.answers.insert(question, answer);
    }

    fn kept(&self) -> MutexGuard<'_, Kept<K, V>> {
        self.kept.lock().expect("no code panics while it holds this lock")
    }
}

/// Beyond it all are read anew.
const ANSWERS_MAX: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_good_for_its_edition_alone() {
        let cache = Cache::default();
        cache.put(1, "a", 1);
        assert_eq!((cache.get(1, &"a"), cache.get(2, &"a"), cache.get(1, &"b")), (Some(1), None, None));
        cache.put(2, "b", 2);
        assert_eq!((cache.get(1, &"a"), cache.get(2, &"a"), cache.get(2, &"b")), (None, None, Some(2)));
        // Read before the change, and told after it.
        cache.put(1, "a", 1);
        assert_eq!((cache.get(1, &"a"), cache.get(2, &"b")), (None, Some(2)));
    }
}
