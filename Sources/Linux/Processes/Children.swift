import Glibc

public enum Children {
    /// Reaps all children that have ended. For a process in which nobody waits for one of them: as process 1 of a container it gets every
    /// process that has lost its parent.
    public static func reapAll() { while waitpid(-1, nil, WNOHANG) > 0 {} }
}
