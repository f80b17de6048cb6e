//! A value with several owners on one thread, made with the memory there is: `Rc::new` ends the process where there is
//! none.
//!
//! It refuses to hand out `&mut`, as `Rc` does, and to cross threads.
#![allow(unsafe_code)]

use std::cell::Cell;
use std::collections::TryReserveError;
use std::marker::PhantomData;
use std::ops::Deref;
use std::ptr::{self, NonNull};

struct Counted<T> {
    owners: Cell<usize>,
    value: T,
}

/// One owner of a shared value; the last one drops it.
pub struct Shared<T> {
    // A raw pointer keeps it from being sent to another thread.
    place: NonNull<Counted<T>>,
    owns: PhantomData<Counted<T>>,
}

impl<T> Shared<T> {
    /// The first owner of `value`.
    ///
    /// # Errors
    /// When there is no memory for it; the value is dropped.
    pub fn try_new(value: T) -> Result<Self, TryReserveError> {
        let mut one = Vec::new();
        one.try_reserve_exact(1)?;
        one.push(Counted {
            owners: Cell::new(1),
            value,
        });
        // OK because a boxed slice of one lies where its one item lies, and a box is never null.
        let first = Box::into_raw(one.into_boxed_slice()).cast::<Counted<T>>();
        // SAFETY: as just said.
        let place = unsafe { NonNull::new_unchecked(first) };
        Ok(Self {
            place,
            owns: PhantomData,
        })
    }

    fn counted(&self) -> &Counted<T> {
        // SAFETY: the place is alive as long as an owner is, and nobody has a `&mut` to it before the last one's drop.
        unsafe { self.place.as_ref() }
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        let owners = &self.counted().owners;
        owners.set(owners.get() + 1); // OK because 2^64 owners do not fit in memory
        Self {
            place: self.place,
            owns: PhantomData,
        }
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.counted().value
    }
}

impl<T> Drop for Shared<T> {
    fn drop(&mut self) {
        let left = self.counted().owners.get() - 1; // OK because this one is counted
        self.counted().owners.set(left);
        if left == 0 {
            let slice = ptr::slice_from_raw_parts_mut(self.place.as_ptr(), 1);
            // SAFETY: it came from a boxed slice of one item, and this was the last owner.
            drop(unsafe { Box::from_raw(slice) });
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    struct Counts<'a>(&'a Cell<usize>);

    impl Drop for Counts<'_> {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
        }
    }

    #[test]
    fn the_value_is_dropped_once_by_its_last_owner() {
        let dropped = Cell::new(0);
        let one = Shared::try_new(Counts(&dropped)).unwrap();
        let two = one.clone();
        let three = two.clone();
        drop(one);
        drop(three);
        assert_eq!(dropped.get(), 0);
        drop(two);
        assert_eq!(dropped.get(), 1);
    }

    #[test]
    fn every_owner_sees_the_same_value() {
        let one = Shared::try_new(Cell::new(1)).unwrap();
        let two = one.clone();
        two.set(7);
        assert_eq!(one.get(), 7);
        assert!(ptr::eq::<Cell<i32>>(&*one, &*two));
    }
}
