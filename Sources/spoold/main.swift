// spoold
