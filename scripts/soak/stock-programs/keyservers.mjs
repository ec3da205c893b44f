const LOGIN = 'keyserver login --password-stdin';

/** The keystore of the remote, and another one beside it, here the same by another name: the list that `sing` keeps is that of SingularityCE. */
export const keyservers = [
  { stock: 'keyserver list', says: ['https://{site}'] },
  { sing: 'keyserver add https://localhost', only: 'singularity' },
  { stock: 'keyserver list', says: ['https://localhost'], only: 'singularity' },
  { stock: `${LOGIN} https://localhost`, input: 'secret\n', status: 255, only: 'singularity' },
  { stock: `${LOGIN} https://localhost`, input: '{token}\n', only: 'singularity' },
  { stock: `${LOGIN} --username anybody https://localhost`, input: '{token}\n', only: 'singularity' },
  { stock: 'keyserver logout https://localhost', only: 'singularity' },
  { sing: 'keyserver remove https://localhost', only: 'singularity' },
];
