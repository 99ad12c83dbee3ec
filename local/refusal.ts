// An error that a sentence explains: whoever started us reads the sentence and no stack.
export class Refusal extends Error {
  override readonly name = 'Refusal';
}
