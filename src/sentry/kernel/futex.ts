export class FutexTable {}
