// `npm run demo`: a real three-member cluster on this machine, and patctl on it. Takes it down again.
import { bin, installPackages, step } from './steps.mjs';

installPackages();
step('build', process.execPath, ['.config/build.mjs']);
step('lab set-up', bin('tsx'), ['test/support/setup.ts'], process.env);
step('demo', bin('tsx'), ['test/support/demo.ts']);
