"""The data model that all layers share: types, schemas, batches, control elements, time and ports."""
