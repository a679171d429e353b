//! Side tables by slot: a slot's next tenant overwrites the last.

/// Puts `value` at `slot`, wherever the table ends.
pub(crate) fn place<T>(table: &mut Vec<Option<T>>, slot: usize, value: T) {
    if table.len() <= slot {
        table.resize_with(slot + 1, || None);
    }
    if let Some(place) = table.get_mut(slot) {
        *place = Some(value);
    }
}
