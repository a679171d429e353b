//! Side tables by slot: a slot's next tenant overwrites the last.

/// What is at `slot`, if it is this one's.
pub(crate) fn find<I: Eq, T>(table: &[Option<(I, T)>], slot: usize, id: I) -> Option<&T> {
    let (known, value) = table.get(slot)?.as_ref()?;
    (*known == id).then_some(value)
}

/// Puts `value` at `slot`, wherever the table ends.
pub(crate) fn place<T>(table: &mut Vec<Option<T>>, slot: usize, value: T) {
    if table.len() <= slot {
        table.resize_with(slot + 1, || None);
    }
    if let Some(place) = table.get_mut(slot) {
        *place = Some(value);
    }
}
