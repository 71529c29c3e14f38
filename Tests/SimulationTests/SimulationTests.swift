@testable import Simulation
import Testing

@Suite struct SimulationTests {
    @Test("Attack 70: nothing is lost and nothing runs twice, whatever part of the unsynced data the disk keeps", arguments: 0..<8)
    func nothingIsLostAndNothingRunsTwice(batch: UInt64) {
        for seed in batch * 25 + 1...batch * 25 + 25 {
            if let violation = Run.seed(seed).violation { Issue.record("seed \(seed): \(violation)") }
        }
    }

    @Test("A job that cannot be started waits on, or fails with its reason, and nothing is lost", arguments: 0..<4)
    func startsThatFailLoseNothing(batch: UInt64) {
        for seed in batch * 25 + 2001...batch * 25 + 2025 {
            let outcome = Run(Step.plan(seed, count: 150), refusesSomeStarts: true).perform()
            if let violation = outcome.violation { Issue.record("seed \(seed): \(violation)") }
        }
    }

    /// Tests the simulator itself. It finds each of these bugs within a few seeds, and shrinks the run to a few steps.
    @Test(arguments: SimulatedDisk.Bug.allCases)
    func aBugThatIsPlantedIsFound(bug: SimulatedDisk.Bug) throws {
        let seed = try #require((UInt64(1)...500).first { Run.seed($0, bug: bug).violation != nil }, "\(bug) is not found")
        let failure = try #require(Shrinking.shrink(Step.plan(seed, count: 150), bug: bug), "seed \(seed) does not replay")
        #expect(failure.steps.count < 30, "seed \(seed): \(failure)")
        #expect(Run(failure.steps).perform().violation == nil, "it is that bug which fails: \(failure)")
    }

    @Test func aSeedReplaysExactly() {
        for seed in UInt64(1)...5 { #expect(Run.seed(seed) == Run.seed(seed)) }
    }

    /// Faults that other seeds found, and that were mended. Each is run every time.
    static let found: [(what: String, steps: [String])] = [
        (
            "A due time that the clock repeats makes no second run of the one whose record a person has made a retry of",
            [
                "editCrontab 4343765633035931740", "turn 394790292249963668", "pass 12619560455260553525", "work 8601892192082849985",
                "clock 10812037640195342711", "defineTask 13322853723793304558", "drop 15188048969802927366", "work 6801483090362529499",
                "turn 2772512918970839299", "work 1543758472062631754", "pass 7496933020828312099", "pass 16667147473509397268",
                "work 11129334000973783788", "turn 10042523485648102463", "retry 8788092228472252848", "pass 1677668218852409840",
            ]
        ),
        (
            "A power cut that takes the directory of a remote run just after its start keeps no copy from beginning",
            [
                "dropFar 8178262415260541041", "turn 18346474368729114790", "interject 11437532472886058341", "engine 6653377401819772629",
                "turn 16446341692810756358", "cutPower 2463069349443800951"
            ]
        ),
        (
            "A remote run whose directory people took away begins once, though the answer to its submission was lost",
            [
                "dropFar 2311342470934058040", "editCrontab 13017464084705525263", "turn 17850034689869528184", "kill 107857575752005144",
                "dropFar 16375010471428188143", "cutPowerSoon 759515709807329308", "start 4484468590039122609", "turn 8608695248956826408",
                "submit 6095876829123479278", "drop 18008674335583538323", "engine 11163463714933888625", "cancel 982272554488795005",
                "dropBad 12023119198235974236", "engine 17191302115759912762", "moveRunning 612523952330303900",
                "engine 4543700003938254344", "engine 6278950531881539612", "cutPower 15497887465917200295"
            ]
        ),
        (
            "A remote run that was started before a restart and not submitted has a durable directory when it is",
            [
                "killSoon 4475973919841464442", "dropFar 10074336858784809620", "turn 18274510091062475665",
                "configure 13752732923159888657", "drop 7793637916588250410", "drop 17650268719728911557", "start 11632359035287402925",
                "engine 10430568779267118394", "defineTask 3564255704536808334", "pass 10486504157292267777",
                "cutPowerSoon 6304066511068166078", "cancel 9723837588590629190", "pass 1198278323384699471", "pass 15600170049779719149",
                "engine 11216496495150442998", "pass 122295494600128115"
            ]
        ),
        (
            "The same after a failed sync",
            [
                "submit 58285463382127661", "syncFault 16422175570453496002", "dropFar 18188427998165235664", "pass 13230538801773719718",
                "wait 8979700060166790547", "start 14599249066744435504", "work 4050617101920279585", "engine 12538998662727180354",
                "turn 16917500115857192750", "work 9953424195767136229", "wait 13426302138857536743", "turn 3552583485789053531",
                "work 9783951055516170254", "engine 8977591136141306356", "cutPowerSoon 6537495653346247236", "work 17270414110054500017",
                "turn 13975367472485509704"
            ]
        ),
        (
            "A calendar that changed before its task was edited moves the due time that is pending then",
            [
                "wait 15238252999523726341", "syncFault 5704978129708292060", "pause 18413031268018003505", "turn 13709835793420465856",
                "defineTask 4634353879655719668", "pass 15904373117840997657", "drop 4165321167982985156",
                "defineTask 16382002400103441242", "configure 15578826596760287719", "turn 890335395042771697",
                "dropFar 17237472999503282148", "editTask 5068569664413633698", "clock 332022690673617026", "start 12438162352656613453",
                "turn 13489728716570924389", "pass 3746269043325227908", "wait 17905493420433171321", "engine 13671908848247261366",
                "cutPowerSoon 3613986290034911845", "kill 7922318685392293195", "crashLoop 6361821669364482316"
            ]
        ),
        (
            "The status of a directory that a power cut tore while it was away is mended",
            [
                "dropFar 6186499870074954821", "turn 6838632675212707016", "turn 12242261436266937025", "engine 7783386146553384514",
                "turn 5188535545957280334", "engine 8680456375130404765", "moveRunning 2362641008207203631", "cutPower 5856094171540458721",
                "moveBack 423687902075111608"
            ]
        ),
        (
            "The record of a run that ended by a wrong clock stays while the clock can repeat its due time",
            [
                "cutPowerSoon 6830164155471478580", "submit 15161428584571570794", "turn 18079397655241625365",
                "editCrontab 11609760514155806044", "pause 16870449264330574126", "dropFar 2511241613104385667",
                "submit 16174954250911926711", "pass 12782125104291624210", "pass 17693765318735337210", "submit 7268628739537713860",
                "start 3415387557842511191", "work 14652784084572081089", "clockByYears 1043423553360980681", "work 14549929245538853766",
                "work 5160226591550458479", "clockByYears 873747092593358935", "clock 15227602441615302393"
            ]
        ),
        (
            "A start mark in a directory that is dropped keeps the new job from nothing",
            [
                "dropFar 250575775455592012", "turn 15744802356718250160", "turn 6436379890593357303", "engine 6401384961413034887",
                "engine 7526690156480819474", "turn 6616833527769297371", "moveRunning 13438753659977119000",
                "cutPower 5524296104492664163"
            ]
        ),
        (
            "A dropped file that a power cut brings back for a remote run does not let it begin twice",
            [
                "drop 326272504353448660", "lookFault 15996217769762924276", "syncFault 13196285632553037556", "drop 3468307249259729566",
                "turn 4389861399996592239", "dropFar 3110925545945962840", "pass 12685213565481944812", "cutPowerSoon 1987699500139769253",
                "start 12813840373509731182", "clockByYears 13792482077045929936", "submit 7117059606782275307",
                "remove 375971237417093637", "start 8312590399986655928", "drop 2188191686718186278", "start 12996648616505451245",
                "turn 15479070329014266317", "work 2697619547745363388", "engine 17548520925039095151", "work 12085766460770994907",
                "work 13139127384949252902", "dropFar 6557441652537051669", "engine 3013871819962530250", "defineTask 7030477947515657202",
                "pause 4895207381676846505", "drop 13254832632352004671", "moveRunning 13157676908840198805", "engine 1369125121353457026",
                "kill 2801521554773647738", "cutPowerSoon 16818508524805383475"
            ]
        ),
        (
            "A remote job that is canceled in the turn of its submission is not submitted",
            [
                "dropFar 15479639898975728202", "turn 9958227163098567352", "syncFault 1751167309627857425", "cancel 16031789229568202558",
                "turn 10362662706777099775", "turn 1963514925104794150"
            ]
        ),
        (
            "A waiting run of an earlier text, which a clock that was set back has put ahead, is no due time of the new text's calendars",
            [
                "defineTask 9735649027040465825", "turn 18042528998137021715", "wait 9623298195921766356", "turn 11411801734198415045",
                "pass 10857322223625590185", "clock 12395631670532497995", "cutPower 658645722610855739", "start 9741885068804413374",
                "defineTask 6507215189266643075", "submit 8142702902987207705", "rotate 17040229583874283569"
            ]
        ),
        (
            "A key that was taken while the disk refused a sync is held after a power cut",
            [
                "syncFault 18397004731948976178", "submit 6422344908890541623", "turn 16938059731922576023",
                "drop 13278471747353221393", "submit 5812388437520727226", "work 7971858623808278763",
                "defineTask 7181164122595722054", "work 9005943898342433781", "turn 3694374332143551741", "start 12878587410458171868",
                "syncFault 862283845190167659", "work 3148817676040878937", "work 18322115787589445573", "work 13605438543358798961",
                "work 10063385543905217009", "turn 14186162789756447345", "work 2254798171743099478", "fault 721731935177977084",
                "work 15627837285893702844", "turn 2813780901721309302", "retry 13894884190795255681", "turn 3271686819193558148",
                "work 8387254532102314123", "start 4672202059135829793", "work 10381942405532137556", "work 4829665608843565660",
                "work 3757155089203433653", "work 5192771757991299781", "cutPowerSoon 2081886510325256680",
                "fault 12094041134379587822", "turn 15866468647692766029", "submit 567951797508173559", "rotate 6902314599973884046",
            ]
        ),
        (
            "A running job whose directory is moved into new/ under another name, and which ends before that is noticed, is one job",
            [
                "drop 1681261036353870834", "turn 17664186008848434550", "work 115967787045686720", "work 9093759370760651786",
                "moveRunning 17250609852808669802", "work 17763624724512645852", "work 14182896262446620011",
            ]
        ),
        (
            "A lock is held over a snapshot that tells of a job between two tries",
            [
                "cutPower 4316758486692434552", "drop 14715974020455200920", "submit 16008807372608200129", "crashLoop 4125106315389264199",
                "start 12917698929685219837", "turn 2671040990121850875", "drop 3846921441839837170", "pass 14487256270215915338",
                "rotate 6119327635159695417", "kill 6124926719381927620", "start 10174400420841302742", "work 6362628844322546348",
                "work 10921157810507467559",
            ]
        ),
        (
            "A file that takes the name of one whose place the disk refuses is a job of its own, once",
            [
                "drop 13344403330537382981", "pass 7516234495338936201", "pass 5206186425008360079", "dropSlowly 5595351623781280092",
                "lookFault 18443066133472994740", "finishSlow 5342574228431805107", "submit 3145101290797050850",
                "turn 14274091701981133883",
                "turn 18195026405897349306", "submit 16873878809312806706",
            ]
        ),
        (
            "A waiting job whose way to a directory the disk cut off has not been withdrawn",
            [
                "clockByYears 3966352800650198788", "submit 5544006277007793873", "submit 12822795573772482594",
                "turn 14674461627989850656",
                "drop 306879431520175092", "submit 12865932655557313574", "cancel 12715356753121420101", "interject 11171040584314545314",
                "clockByYears 7779417244240499678", "drop 5148521886331398829", "lookFault 13443109076074743344",
                "pass 17545959937368585349",
            ]
        ),
        (
            "Of two jobs with one name in new/, a power cut brings back the file of the first",
            [
                "submit 7561937336126823338", "drop 7870546440786368642", "edit 11156542796562568588", "killSoon 9677438056173089531",
                "turn 5138816891824832461", "recoverTwice 3762521945485119396", "submit 12981434201119899424",
                "crashLoop 14337264653390243459",
                "cutPowerSoon 3236800990018891813", "edit 15070691690978247169", "start 6296621289800304798", "stop 6209214989501333566",
                "cutPowerSoon 11941741872707061368", "recoverTwice 8869976474972949362",
            ]
        ),
        (
            "A clock that goes back some minutes, ahead by years and back again gives no due time twice",
            [
                "defineTask 7461184894497523027", "turn 17123564066579104038", "pass 17444888766544993776", "pass 7091809456958257620",
                "work 10715654124435199832", "work 5879419248771497650", "pass 4508836741524339783", "pass 16345172195850425630",
                "work 14504055637670477570", "work 10739512850242361815", "stop 13892020520320997894", "clock 7588652112959608777",
                "dropSlowly 6006799050206912255", "clockByYears 12884511694443630228", "start 1996945888447570176",
            ]
        ),
        (
            "A job that replaces the run of its task for which it was to wait",
            [
                "drop 12170688683941056740", "defineTask 1508730679261079034", "turn 10299781722426136898", "wait 3809112783264600370",
                "turn 10433392494147594692", "pass 12450229506415642897", "cancel 15889662781975668461", "defineTask 16693428878834197030",
                "turn 5629190733952801814", "retry 2122620695725079573", "pass 15072800589669831164", "drop 6900623293440714835",
                "turn 15664883753830992484", "removeTask 5788977199641630106",
            ]
        ),
        (
            "A power cut after an orderly end brings back a file that could not be used, under a waiting job's name",
            [
                "submit 16712924788265692727", "turn 9463944472368337179", "killWorker 3290469726231910413", "pause 12170456039431117926",
                "kill 4826357167081983280", "submit 13177636495195990208", "start 15014648882849131317",
                "cutPowerSoon 18172050237919237925",
                "stop 16908981406017497861", "recoverTwice 10051517100544504468",
            ]
        ),
        (
            "A directory whose job cannot be used, and which a request asks for in the same turn, is rejected once",
            [
                "defineTask 5844705895511363118", "turn 6655557379189164978", "cutPowerSoon 13976656083472049243",
                "pass 4853983280262996618", "pass 15101667855452442523", "pause 17033449332157284177", "pass 14082495646450208413",
                "defineTask 7504500598548366532", "turn 17227893656102839873", "submit 8946808690340617550", "turn 12844770766328944162",
                "pass 8285459699089701662", "editTask 6073847550863618461", "turn 8482884923458476256", "cancel 4998494184923447753",
                "drop 15946284174769988749", "turn 3566759409309987801", "clock 203427002241744933", "crashLoop 7959486646335472177",
                "retry 2029689326595551501", "fault 9790819606588864810", "cancel 4398321951905766936", "turn 16144075276220430569",
                "retry 14854890278759774509",
            ]
        ),
        (
            "A text that the journal put back, cut off where the dropped file of a task's run ended",
            [
                "drop 12883727221101420910", "turn 10014686320855621982", "pass 15722001058604145684", "defineTask 15952693753890479823",
                "editTask 6840629421742566813", "turn 14235126846164878367", "lookFault 11599985421158546343", "pass 724220021745687816",
                "submit 18167649636740189067", "turn 5048703904422622678", "cutPowerSoon 18189366607554621381", "drop 11205318276175770504",
                "pass 69837877558756614", "editTask 4561595374340900157", "drop 15101353212630512993", "pass 4679682980652512141",
                "submit 14701204814408447441", "drop 1059715944412262604", "stop 16178355351321755674", "drop 5512336416572025303",
                "crashLoop 1931114176574883282",
            ]
        ),
        (
            "A job that the disk kept from its place when the daemon was stopped has not been moved back by a person",
            [
                "turn 9694844867392367274", "pass 3283757997874294586", "defineTask 15593277726210908121", "turn 14929979820397142827",
                "pass 9628835439732778085", "work 15164331723457706254", "work 17381795906004254720", "fault 87534687993201169",
                "work 18161005949060691430", "submit 14187817566502239436", "pause 8009095811581834134", "turn 12218132455707197961",
                "start 4663621525474247885", "lookFault 6416369948062546432", "cancel 12314493627087753291",
                "spoilTask 16945619072429022042", "turn 13035268504735151027", "stop 11732648707042295931",
            ]
        ),
        (
            "After an orderly end and a power cut, a file that came back cut off under a name that another job waits by",
            [
                "submit 1002405042031966911", "turn 16895920412619478939", "work 18300952501947058741", "work 2832809578861549443",
                "work 18171346193512055649", "work 13523415611242280021", "pause 17899375397191841500", "pass 5704137049225519777",
                "cutPower 17211098720115740281", "recoverTwice 9943939741349259752", "submit 17191413954781445252",
                "edit 2256150916949831382", "drop 7110818433914034551", "edit 1255169887875104946", "crashLoop 13254063097326395845",
                "cutPowerSoon 12191747283571452692", "dropSlowly 17496372365334036073", "retry 4065889478455201496",
                "pause 2369095541178918699", "interject 8564899818480823609", "cancel 12974926099354251902", "drop 12057942975067128169",
                "drop 3249453535371904075", "recoverTwice 2647134942559279290", "drop 14535410937846888617", "start 13262562270284674890",
                "cutPowerSoon 8984681610077639994", "stop 8851706516441113649",
            ]
        ),
        (
            "A directory whose job could not be used, which a power cut brings back beside its record",
            [
                "turn 9652427286662426643", "pass 8176175457097174883", "defineTask 11367914816344605376", "drop 1492844366574706603",
                "dropBad 3514635392572980241", "submit 16159927898082919584", "turn 16986510867433232878", "work 16243802666532632264",
                "cutPowerSoon 10969353499327875998", "work 12245236670209816734", "drop 10883863874799566766", "work 4324361806545338686",
                "turn 12689683825568002402", "work 7852340097196522797", "turn 7704276557014613562", "cancel 6690686918323317526",
                "crashLoop 445206931528361551", "retry 17562235137339726024", "roots 12342000398890835764", "start 14090944312820823806",
                "rotate 11896482413897294904", "pass 9973514509853165128", "wait 16904004813453463546", "turn 4926250405783687188",
                "defineTask 4412889121781686602", "retry 11524483674418666368", "pass 4548889716193175560", "submit 17394950940638865134",
                "cutPower 1212511528038947928", "retry 12704857484125138780",
            ]
        ),
        (
            "A file that took the name of another user's job just before that was moved",
            [
                "turn 2788533819434144018", "drop 6810286114493906758", "lookFault 8204207937738575402", "interject 6390639662154493120",
                "turn 2163897569679857615",
            ]
        ),
        (
            "What a power cut brings back in a job's directory is what an earlier job of that name has read",
            [
                "drop 7260068768136844606", "cutPowerSoon 14008185357854931218", "dropBad 16117724407137330771", "turn 4215493749383712994",
                "drop 14715773708411334438", "dropSlowly 3856414228234256398", "drop 3921214281436117060", "start 9989172049880386285",
                "dropSlowly 2506663567773984308", "finishSlow 6917738760104042020", "turn 14805788876460589103",
                "cutPower 1103954458152525024", "recoverTwice 9437955590000572141",
            ]
        ),
        (
            "A key that was given on to a job of which a crash left nothing is still its holder's",
            [
                "cutPowerSoon 13688746007113783130", "submit 12798754714951095972", "interject 17095841073437261429",
                "turn 13473956355553640120", "pass 10858990319571524458", "killSoon 2791689654087238565", "remove 5253713677566401793",
                "drop 9868991449562635929", "turn 13302249316064989155", "start 15447776765316823299", "pass 14541363457313565200",
                "pass 2742810026326601211", "work 2605155602894636179", "work 8195988272542406691", "work 6091789559542779934",
                "work 4270314755650317454", "submit 12600717833287109871",
            ]
        ),
        (
            "A file that took the name of one that was to wait in a directory, just before a crash",
            [
                "cutPower 7646201633725482077", "pause 7763474597357622918", "defineTask 2857136695688237449",
                "resume 18210886870245588142",
                "submit 2822451722930759834", "dropBad 17045850893601022836", "dropBad 18091558739318931772",
                "defineTask 1279866294092891339", "clockByYears 10392510855781224068", "start 17123808419898681540",
                "cutPower 14997182212991971222", "submit 3624323643069326459", "clock 4165218110526516588", "crashLoop 5290195500620306502",
                "lookFault 489960310129494080", "pass 945600037040353215", "dropSlowly 5931476232819740180", "dropBad 871520739876339928",
                "pass 11104230466876174226", "dropBad 11889342515234965644", "turn 5823146469371683744",
                "clockByYears 17264789164128130027",
                "turn 888777889037575786", "kill 11806085491018470054",
            ]
        ),
        (
            "A record that somebody moves back into new/ while the disk refuses the rest of it",
            [
                "wait 15036483612062507344", "wait 8070564172685927089", "defineTask 11222646547455191975", "turn 16954822934668311669",
                "lookFault 15085720513806703936", "dropBad 18445722800880119261", "wait 3120580614183602730", "turn 13793823886528325349",
                "retry 338429891426488151",
            ]
        ),
        (
            "A record that a power cut has doubled, moved back into new/ twice within a tick of the clock",
            [
                "drop 5347103910112338614", "rotate 13268405522063982555", "work 17284088694740854969", "work 11262512600528335919",
                "work 16782668593800443244", "defineTask 8208112241075859371", "drop 3276652561641977293", "turn 18047382597544391632",
                "work 1621571121706630962", "pass 18147325614088742629", "rotate 6105495795127770097", "cutPower 17210908861917005567",
                "crashLoop 2877914336955467938", "drop 11198219733959055374", "drop 17806697646593638344", "turn 12189838829569816898",
                "pass 13379614234766667534", "dropBad 13690995185095939444", "drop 600541121008423052", "pass 1754809781254855924",
                "retry 14531621705866283952", "submit 4615392368631576993", "drop 2985733473766335177", "remove 4698178043437767455",
                "turn 11897792861125422290", "cutPower 15986807464507692218", "start 4022257678778081389", "retry 4167166036609975850",
            ]
        ),
        (
            "A job that ended in the first lines of a daemon that was killed before it could say that it had started",
            [
                "drop 8236845848276096662", "interject 9977416508507815280", "pass 14383336443469681774", "work 11255784470871613803",
                "work 5679152284557225509", "cutPower 7376925092161516969", "start 9826886931068795377", "submit 6425616421451398562",
                "stop 1759031680847887061", "cancel 824334771312267432", "killSoon 7359088708873143207", "start 8309521851564078824",
            ]
        ),
        (
            "A text that the disk has cut short, in a record that somebody moves back into new/ just before a crash",
            [
                "defineTask 8390417185327347195", "drop 9923664787816931295", "drop 12526173882354738190", "submit 1972786506534695850",
                "killSoon 8517169458766160339", "turn 628020571297368570", "clockByYears 2148870048173187874", "turn 16060645697083838348",
                "retry 3546095614506352901", "recoverTwice 6282491643925571717",
            ]
        ),
        (
            "What a power cut leaves of the file of a run that ended, by a clock years behind, before it came",
            [
                "defineTask 17484551568964807382", "turn 8634411642156656193", "pass 696382696671621061", "work 13229160157933715656",
                "lookFault 16602500933217493841", "work 13220332310057006030", "work 18010276728660952829", "drop 1228413906992340685",
                "submit 6834879563114366757", "work 15323082763649238748", "drop 687288712529775853", "turn 18416870864842491787",
                "drop 7391592178652399527", "work 9798211390769528129", "work 14954617766850566491", "submit 3750661002106449546",
                "turn 1415571317398752954", "drop 4149836619864984020", "work 995473220965421206", "clockByYears 1280999479455338189",
                "work 10278186675949694542", "turn 1992012439906804998", "work 17287218277510003432", "work 15539290243670720026",
                "submit 9823691760310742927", "submit 7717160153355119860", "killWorker 2880941703936734628", "work 13739615806517941172",
                "pause 14872540627833959112", "dropBad 4328115963857984286", "work 14248910166507058696", "turn 10751989330399411436",
                "cancel 277796813487781716", "turn 14143527757315533698", "edit 9730104498168609515", "edit 8340518214660239320",
                "cutPowerSoon 2063579090714412829", "defineTask 16861717201761186796", "kill 14755898120629926563",
            ]
        ),
        (
            "A record that somebody edits in the tick in which it came",
            [
                "submit 5533527032294386531", "turn 1353094206564088494", "cutPower 7267195317840829258",
                "recoverTwice 10815177794077983171", "lookFault 11831627591519452709", "submit 10333167399909294485",
                "start 12606212426224174930", "start 11129136978482773188", "fault 7902754666141002802", "start 1931359626815072342",
                "recoverTwice 12563785855040107392", "editRecord 15981882368450820894",
            ]
        ),
        (
            "A record that a power cut brought back, edited and moved into new/",
            [
                "dropBad 5377555683658873917", "turn 7217302130141396923", "stop 3773745849424237903", "defineTask 4865283729393393938",
                "drop 16868846512218533382", "retry 6109600030581726637", "start 13004602049212791173", "defineTask 11884646915670865621",
                "cutPowerSoon 10907232143553324914", "pass 3051136042520917289", "wait 12333938351126054733", "turn 13128746470822458595",
                "spoilTask 12300356622237571297", "pass 14818992721342113424", "pass 6432976072089294779", "editRecord 7137486581337861247",
                "retry 12292519568756667575",
            ]
        ),
        (
            "A drop that somebody still writes, which took the name of a task's run just before a crash",
            [
                "cutPowerSoon 1861584618394811427", "submit 4305674838577891303", "kill 9033803104945181143",
                "defineTask 7899231924486399713", "pause 7967136216392761281", "dropBad 12265953684337750959",
                "cancel 14539690614529160092",
                "edit 6373415833825020252", "dropSlowly 12929185493033197540", "finishSlow 5438929811309343347",
                "drop 11271487803694581003",
                "lookFault 15998134778963439384", "drop 8566929635400373921", "crashLoop 9056950797623829918",
                "submit 17273673182534518436",
                "recoverTwice 17640685263002653013", "crashLoop 4353790675412549079", "dropSlowly 6489696465635916431",
                "killSoon 4509847441677244713", "start 9887037212492532750",
            ]
        ),
        (
            "A drop that took a job's name while the disk refused that its place, and a power cut",
            [
                "defineTask 6358652114999080912", "turn 595835252383147764", "lookFault 18021467456780614234", "drop 16693702991563742943",
                "pass 13864094496245440045", "turn 14346253585103792452", "submit 8764431197204714006", "submit 8022257725742511811",
                "lookFault 18215274486882784899", "cutPowerSoon 1781691694017651972", "turn 4059857488132417479",
            ]
        ),
        (
            "A drop that took the name of a job that waits, while the disk refused that its place",
            [
                "pause 4330094907947193430", "clockByYears 9038393625219599654", "defineTask 322343245803321818",
                "drop 12508886777792597825", "pass 1601264116461128080", "fault 14269015814775688254", "pass 15201232896174199302",
                "pass 11247051712400717624", "dropSlowly 3104341284063695385", "drop 11888358003773637686", "turn 13138641795426039903",
                "clock 3753368387993836260", "pass 5898776110322391895", "clockByYears 5472402028130608234", "pass 9593427302569487914",
                "pass 9228577218574945860", "drop 11904286949227943750", "pass 5160590109164973943",
            ]
        ),
        (
            "A journal that was taken away, forgotten by its age",
            [
                "drop 4983017793124748881", "takeJournal 365491257851764464", "pass 11473705001711408899", "work 14175894161616365474",
                "work 665525696285185989", "work 1070715699492514943", "work 4252429384493095268", "defineTask 8675158835832036237",
                "rotate 3373144761418159332", "pass 15452428810530842179", "clockByYears 3950537651913145404",
                "turn 2925280793341498691", "killSoon 17494613422582211405", "cancel 3699803599771966872", "clock 5469165333687165338",
                "turn 16007329764969670858", "crashLoop 7337958198309848955", "crashLoop 12982912970091418833",
                "pass 2631236641988859241", "pass 16631989064884568862", "rotate 6049496204289102717",
            ]
        ),
        (
            "The record of a task that somebody moved where records are counted, while its job ran",
            [
                "dropSlowly 6542597256724945249", "cutPowerSoon 16479121522528479040", "cancel 7290389384854356667",
                "pass 2630036574988733148", "turn 3216887471068121387", "remove 6179231123213274764", "lookFault 17897371629983170137",
                "defineTask 18150209515541338372", "rotate 6315184968444590969", "drop 9729374879201417015",
                "crashLoop 13684787872512750328", "crashLoop 2672798460151051092", "turn 8759386224901518360",
                "lookFault 7126879259784344350", "retry 18017352639562651885", "pass 17225491208934269855", "work 2810642509723581805",
                "work 7795810263681421820", "pass 11885991346601626864", "drop 5905325758718435532", "dropScript 2023384124400650968",
                "work 6954086468367809376", "pass 6803669671192763264", "work 8205303246505964152", "submit 8800427144579155407",
                "turn 7852475752137409765", "work 17359909892967429309", "wait 5635520487437824447", "work 8592230043883965085",
                "moveRunning 10384530762073135908",
            ]
        ),
        (
            "A record that somebody moved into new/ as its job ended, while the disk refused its place",
            [
                "dropBad 13798134259589008117", "cancel 11121546960224038935", "turn 3590897839650568287", "drop 10997539216142836542",
                "drop 16145594897734742676", "clockByYears 15635390307120716716", "killSoon 10659150495837220645",
                "turn 18242323054755739436", "cancel 11522604597440583482", "recoverTwice 15825233661206112126",
                "dropBad 6892296747398414346", "submit 3106362986512915729", "defineTask 1364235056083941500",
                "start 13054575925299747311", "drop 15503349931219043280", "cancel 3308108517806230303", "work 14747511234915019918",
                "work 4076258784975885315", "drop 4766024962738748731", "dropScript 17982290313129613954", "pass 12922429134934758855",
                "work 370716568798876332", "dropScript 9192059580479095517", "work 15663991725530263321", "work 10657662089682222637",
                "turn 14006700539602262102", "pause 2812201275763348538", "lookFault 2478351156214588431", "work 6124063486618136885",
                "work 7621399208310876214", "pass 17879332306903608192", "lookFault 256580548516661690", "work 3033611621851498402",
                "clockByYears 2746089714935941054", "cancel 776578571914446709", "work 16059635886196044074",
                "work 5018178743297322689", "moveRunning 16607650660286967544", "work 3070618391022585284", "turn 92363643477064948",
                "work 6723089820673935290", "turn 14217429263394341944",
            ]
        ),
        (
            "A file that went back to new/, and the sync of that failed",
            [
                "syncFault 3006387333695248370", "submit 13353588084289023068", "interject 4059878940280757958",
                "pass 17869201872815414182", "turn 10633743380773462506", "submit 6452326375567481828",
                "cutPowerSoon 10347152774123016031", "pass 4968173888256308826",
            ]
        ),
        (
            "A running job of which somebody took the directory away, and whose key another took",
            [
                "submit 9392185419520871644", "dropSlowly 5017597774194184015", "submit 7532947859204682325",
                "pass 17257287927293684605", "work 14159291465698307462", "defineTask 1238694584543280707",
                "remove 14948373350626568306", "turn 16896629886124433563", "dropBad 15510229920341940783",
                "clockByYears 8395606885071236957", "syncFault 9610274837580881653", "pass 9484806001981360494",
                "work 791338636264552195", "work 13462652501278749948", "work 6421993323810626216", "turn 13874942287132209477",
                "pass 17137007541565018167", "drop 3220838313607386527", "editRecord 13488215847142820852", "turn 7226682141703028492",
                "work 1982743160749859147", "drop 17467662801529818094", "start 7830433548355663404", "defineTask 3474169788628699014",
                "turn 11241228161904210429", "clockByYears 3459759555556154167", "killSoon 14298132962751268073",
                "work 2664443932110567497", "turn 12126521055069744665", "work 11371084320085072873", "work 2893260514911453284",
                "work 8017119388134870637", "moveRunning 15266736938462461332", "work 9686073515813353753", "pass 7595052577627553975",
                "work 15222645281813359647", "work 1640603562609520828", "work 3112412648057746686", "work 10888120945410243855",
                "turn 12413593939338259937", "submit 5237211823576720390", "work 9240990045483695313", "start 9988065691030263069",
                "work 17163210337382549166", "work 6022343115158354098", "work 1477447743823400750", "work 9904244385220559160",
                "work 8741137854573024040", "drop 12355087565643182461", "killSoon 8882157865296767527", "pass 5652685068905887474",
                "cutPowerSoon 8743675021743988303",
            ]
        ),
        (
            "A run from before a power cut of which the first daemon after it could not read the worker's record",
            [
                "drop 4349221973083551286", "rotate 10955812739932023310", "work 13667576642293446826", "work 5067662697394738811",
                "cutPower 9860426257675119133", "lookFault 9860794786087837908", "fault 14287547180369235622",
                "drop 10020428331800439252", "start 18102709406992917902", "turn 2194148396018608388",
            ]
        ),
        (
            "A running job whose directory somebody moved away, and a power cut brought back",
            [
                "cutPower 16382989977515087520", "drop 2455612072501267273", "drop 1997969737836122811",
                "killSoon 7107492143681727865", "start 10160279567878308138", "drop 595996282589433348",
                "work 11856633719161447065", "interject 4881387748156711303", "work 12273490574580497309",
                "moveRunning 6602587525431167850", "killWorker 9578707975039439211", "submit 5116799676772308462",
                "turn 1372103552795489186", "crashLoop 4663607930084964885", "cutPower 4002684668408461161",
            ]
        ),
        (
            "A run that has ended for another try, whose directory somebody had moved, and the disk could not be read",
            [
                "dropBad 1876398207478421296", "dropSlowly 9724637965791326581", "drop 5925511556315657585", "turn 10411459732617975566",
                "lookFault 17744377729830742712", "work 4435369575783739067", "cancel 3160055143845352793",
                "defineTask 2547276473536944383", "work 3687774005905584631", "pass 10909728977779552239",
                "moveRunning 12703687008294273665", "work 2595735686005598324", "work 9557067874710138911", "turn 16522543448851741588",
                "cancel 3873669049127184580", "dropBad 14686220277927879101", "killSoon 5936047748920589047", "turn 5577235916202149359",
            ]
        ),
        (
            "A file that replaced a dropped one just before it was moved, in a directory whose rename a power cut has undone",
            [
                "drop 2815327059083762118", "cancel 6090368433041794948", "pass 10171809161000581805", "work 1105974358792831377",
                "submit 412959697932622101", "work 16441525605971925848", "work 8481820098706734731", "work 12730223803036820735",
                "turn 11117304406814409146", "drop 8828433328514482028", "cutPowerSoon 15338180518261355106",
                "interject 1193516887057525096",
            ]
        ),
        (
            "A follow-up of a run that ended by a clock of the far future, which was set back before the daemon learned of it",
            [
                "wait 5942127946139862144", "defineTask 10281986997313826338", "turn 12755704982281975075", "wait 8254104064069635476",
                "turn 1044205119519548775", "submit 2931157323388686704", "cutPower 7557157569133698793",
                "clockByYears 11809083368909934426", "drop 6677137224298887980", "crashLoop 14019020234713550741",
                "work 13680126151577413735", "work 9069376267118361118",
            ]
        ),
        (
            "A calendar that changes twice, while no daemon runs and then by a clock that was set back, changes twice",
            [
                "defineTask 9894421471333446690", "turn 9933229232019453167", "kill 5084833301330507754",
                "configure 715954747619506150", "clock 742824656712869060", "start 14748772764113150851",
                "clock 5858595034245658171", "configure 13962929988528300255",
            ]
        ),
        (
            "A task that is created again by a clock that was set back has its due times by the calendars of then",
            [
                "submit 15478887373561915041", "defineTask 7502521349400829107", "defineTask 2634690853521042235",
                "turn 5319054959607312095", "drop 5680565509443620955", "cutPower 16760922244453145255",
                "clock 12582561955153926519", "start 3120702085473377812", "defineTask 11178725692863295993",
                "turn 16273491546970781371", "clock 13797362797976359099", "configure 1509300143032772803",
            ]
        ),
        (
            "A due time that has moved runs after a clock that was wrong by years is right again",
            [
                "defineTask 11022927590205781191", "turn 9183488844239134339", "cutPower 196006211967950398",
                "clock 3781335166035731396", "drop 12226046971377272727", "configure 16828662732869569985",
                "clockByYears 18309393145285888112", "start 11640821160765557468",
            ]
        ),
        (
            "A due time that has moved, while calendars in between would exclude it and leave it out",
            [
                "configure 4168889377841105824", "defineTask 7749963616192936527", "turn 13774632078279125702",
                "pass 17980673913525521810", "editTask 3040649611212032118", "drop 208554213975447106", "remove 17335025052374541890",
                "turn 7719362338492799202", "configure 11636332876253952080",
            ]
        ),
        (
            "A recovery whose sync reports what the kernel could not write",
            [
                "drop 12035785627091593389", "turn 940554737070362413", "drop 9293255682826539454", "work 112690639679119389",
                "dropBad 15794981685513317550", "submit 5704690290401541214", "work 11801381505097678970",
                "pass 4184154295170582138", "work 8140781216254608607", "cutPowerSoon 12565795472078584804",
                "cancel 3206397769827231582", "turn 3043663271761760929", "dropSlowly 13783571603247217213",
                "dropBad 8922950576534515039", "turn 2027072374451867279", "drop 7840454893206321044",
                "killSoon 1345640612491795102", "start 12372375001093206762", "syncFault 14236365546979114194",
                "start 2678251698244453565", "writebackFails 3337723324738925062", "recoverTwice 2772804456803110932",
            ]
        ),
        (
            "A running job whose directory somebody moved where records are kept, and whose file was edited there twice",
            [
                "drop 4954557791828493341", "turn 4336459352942236208", "work 8659252015457103191", "drop 2093496791135829234",
                "work 17214129326045851565", "syncFault 3871903281697226865", "turn 17749246389784659596",
                "drop 11070668011472791375", "moveRunning 7053814860624693295", "turn 13879557182265700999",
                "editRecord 14616160540482909596", "editRecord 497077438753358560",
            ]
        ),
        (
            "A directory that was made again, with its start mark, and a power cut that left the directory without the mark",
            [
                "dropFar 2138134846741271505", "killSoon 6706743808581416604", "dropFar 6602797758074817038",
                "turn 10440982247634806013", "start 18371635168575742118", "cutPowerSoon 4016304383664813101",
                "engine 13205263738338895653", "engine 3773391459680596158", "moveRunning 3333660272982466333",
                "turn 11925177109943496753", "submit 4661120402942657218", "engine 12875527769625024714",
                "turn 11978919084553309019", "dropFar 14482134342428629471", "crashLoop 9679876752362729800",
            ]
        ),
        (
            "A run elsewhere whose directory a power cut left without the job's file",
            [
                "drop 17172928919735821722", "killSoon 17700258094618149967", "dropFar 5821078175973986939",
                "pass 15245477936809910952", "pass 12691744972397682688", "dropSlowly 17450775681501142609",
                "drop 592677362048249155", "fault 9326505634698000295", "finishSlow 10084347529066219585",
                "drop 11705410320017999203", "start 11729081266661818408", "dropFar 14996973581945718704",
                "cancel 985434253846745615", "start 8051568170223490661", "dropBad 17677266278643516885",
                "cutPowerSoon 8254556336020816365", "wait 17875937154031076003", "turn 14312897115704934980",
                "retry 15492372621339401255", "crashLoop 15705884984104624633", "cutPower 5687896854807139000",
            ]
        ),
    ]

    @Test(arguments: found)
    func whatWasFoundStaysMended(what: String, steps: [String]) throws {
        let steps = try steps.map { text in
            let words = text.split(separator: " ")
            return Step(kind: try #require(Step.Kind(rawValue: String(words[0]))), pick: try #require(UInt64(words[1])))
        }
        let failure = Run(steps).perform().violation
        #expect(failure == nil, "\(what)")
    }

    @Test func aPlanIsOfAllThatCanHappen() {
        #expect(Set(Step.plan(1, count: 20_000).map(\.kind)) == Set(Step.Kind.allCases))
    }

    /// Flips every 397th bit of two thousand records. `Simulator --journal` flips all of them.
    @Test("Attack 72: every flipped bit of a journal is noticed") func noTurnedBitOfAJournalIsPassedOver() throws {
        var journal = try JournalBits(records: 2000)
        journal.turn(step: 397, wholeStep: 400_009)
        #expect(journal.records >= 2000 && journal.turned > 5000)
        #expect(journal.unseen == [])
    }
}
