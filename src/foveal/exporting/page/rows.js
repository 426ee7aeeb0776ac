// What is said of one file: a row of the table, and of the CSV.

export function emptyRow() {
  return {
    label: null, probability: null, prediction_set: [], unsure: null, unlike_training: null, novelty: null,
    error: null, probabilities: null, thumbnail: null,
  };
}
