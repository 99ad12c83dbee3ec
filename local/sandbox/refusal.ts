// The errors EC2 answers with: code, HTTP status and text as AWS words them.
export class Refusal extends Error {
  readonly code: string;
  readonly status: number;

  constructor(code: string, message: string, status = 400) {
    super(message);
    this.code = code;
    this.status = status;
  }
}

export const missingParameter = (name: string) =>
  new Refusal('MissingParameter', `The request must contain the parameter ${name}`);

export const invalidValue = (message: string) => new Refusal('InvalidParameterValue', message);

export const combination = (message: string) => new Refusal('InvalidParameterCombination', message);

export const dryRun = () =>
  new Refusal('DryRunOperation', 'Request would have succeeded, but DryRun flag is set.', 412);

export const authFailure = () =>
  new Refusal('AuthFailure', 'AWS was not able to validate the provided access credentials', 401);

export const wrongState = (id: string, wish: 'started' | 'stopped') =>
  new Refusal('IncorrectInstanceState', `The instance '${id}' is not in a state from which it can be ${wish}.`);
