"""Item names: some fit the picture, some speak of another thing, some are syllables without meaning.

Copying a name and reading a picture must be separate skills, so that half of the names mislead.
"""

import json
from collections import Counter
from pathlib import Path

from pictures import things

THINGS = things()
NOUNS = [t["noun"] for t in THINGS]

# Names for measuring only. No word of theirs is used to make names.
UNSEEN = (
    "달그림자 수호자의 투구|서리꽃 견습기사 망토|은하철도 차장 모자|별빛나래 무희의 부채|칠흑의 심판관 대검|봄바람 소풍 도시락|"
    "무지개숲 요정 날개|해적왕 골드로저 안대|천둥벌거숭이 장화|단풍마을 수확제 머리띠|에메랄드 여우 귀걸이|한밤의 도깨비 방망이|"
    "설산 탐험가 배낭|루비나 공주의 구두|포근한 양털 목도리|기계태엽 토끼 인형|심해 용왕의 삼지창|청룡언월도|복고풍 오락실 조끼|"
    "까망베르 고양이 방석|산들바람 밀짚 삿갓|폭풍우 기타리스트 피크|어둠추적자 석궁|솜사탕 구름 베개|백야의 마도서|붉은늑대 용병단 견갑|"
    "오로라 크리스탈 귀마개|장난꾸러기 개구리 우비|태양신전 사제 로브|꼬마유령 호롱불|흑요석 톱니 단도|비밀정원 향수병|우주비행사 산소통|"
    "갈매기 선장 나침반|딸기우유 젤리 슬라임|용암거북 등딱지|고대문자 룬 석판|하늘다람쥐 망원경|벨벳 턱시도 재킷|라벤더 찻잔"
).split("|")

ADJECTIVES = (
    "빛나는 기사단 전설의 고대 황금 은빛 어둠의 불타는 얼어붙은 신비한 마법 용사 영웅 왕실 낡은 새벽 달빛 별빛 태양 폭풍 번개 강철 "
    "붉은 푸른 검은 하얀 귀여운 화려한 우아한 튼튼한 행운의 저주받은 축복받은 숨겨진 잃어버린 견습 장인의 대장장이 사냥꾼 도적 "
    "마법사 성기사 해적 요정 드래곤 늑대 고양이 토끼 곰돌이 봄날 여름 가을 겨울 크리스마스 할로윈 벚꽃 바다 사막 숲속 하늘 구름 우주 "
    "꿈꾸는 달콤한 시원한 포근 반짝이는 거대한 작은 특제 한정판 초보자 고급 희귀 영원한 시간의 바람의 대지의 물결 불꽃 서리 그림자 "
    "천사 악마 여왕 공주 왕자 장군 상인 모험가 탐정 학생 선생님 축제 무도회 왕국 제국 길드 던전 심연 천상 무한 최강 나만의 엄마의 "
    "할머니 동네 시골 도시 레트로 네온 사이버 로봇 미니 점보 프리미엄 클래식 모던 빈티지 로얄 스타 문 선샤인 블랙 화이트 골든 실버"
).split()
PREFIXES = ["[한정] ", "[이벤트] ", "(7일) ", "(30일) ", "[PC] ", "★"]
PARTS = (
    "모자 얼굴장식 눈장식 귀고리 상의 하의 한벌옷 신발 장갑 망토 반지 반지/반지1 반지/반지3 펜던트 펜던트/펜던트2 벨트 어깨장식 훈장 뱃지 "
    "엠블렘 한손검/무기 두손검/무기 활/무기 석궁/무기 스태프/무기 완드/무기 단검/무기 창/무기 폴암/무기 건/무기 너클/무기 부채/무기 "
    "방패/보조무기 마도서/보조무기 오브/보조무기 무기 보조무기 기타0 기타3 기타7 기타12 기타17"
).split()
LATIN = "Dark Moon Star Royal Neo Cyber Lucky Happy Mini Blue Red Angel Magic Dragon Night Sun Love Sweet Ice Rock Pink King Queen Zero Alpha".split()


def unseen_names(count):
    """Different names of words that training never saw."""
    parts = [name.rsplit(" ", 1) if " " in name else [name, name] for name in UNSEEN]
    out = list(UNSEEN)
    for step in range(1, len(parts)):
        out += [f"{parts[i][0]} {parts[(i + step) % len(parts)][1]}" for i in range(len(parts))]
    return list(dict.fromkeys(out))[:count]


def _ksx1001():
    out = []
    for code in range(0xAC00, 0xD7A4):
        try:
            chr(code).encode("euc_kr")
            out.append(chr(code))
        except UnicodeEncodeError:
            pass
    return out


class Names:
    def __init__(self, work: Path, rng):
        self.rng = rng
        unseen = {w for name in UNSEEN for w in name.split()}
        words = set()
        for entry in json.loads((work / "node_modules/emojibase-data/ko/data.json").read_text(encoding="utf-8")):
            if entry.get("group") not in (8, 9):  # symbols and flags
                words |= {entry["label"], *entry.get("tags", [])}
        hangul = lambda w: all("가" <= c <= "힣" or c == " " for c in w)  # noqa: E731
        self.words = sorted(w for w in words if hangul(w) and len(w) <= 9 and not unseen & set(w.split()))
        self.adjectives = [a for a in ADJECTIVES if a not in unseen]
        self.rare = _ksx1001()
        count = Counter(c for w in self.words + ADJECTIVES + NOUNS for c in w if c != " ")
        self.common, self.weights = list(count), [n**0.5 for n in count.values()]

    def _qualifier(self):
        rng = self.rng
        return " ".join(rng.sample(self.adjectives, rng.choice([1, 1, 2])))

    def _syllables(self, n):
        rng = self.rng
        return "".join(rng.choice(self.rare) if rng.random() < 0.3 else rng.choices(self.common, self.weights)[0] for _ in range(n))

    def _decorate(self, name):
        rng, r = self.rng, self.rng.random()
        if r < 0.05:
            return rng.choice(PREFIXES) + name
        if r < 0.12:
            ends = [" (여)", " (남)", "(여)", " II", " III", f" Lv.{rng.randrange(1, 100)}", f" +{rng.randrange(1, 16)}"]
            ends += [f" {rng.randrange(1, 30)}호", f" No.{rng.randrange(1, 500)}", f" ({rng.randrange(1, 91)}일)", " SR"]
            return name + rng.choice(ends)
        if r < 0.15:
            return rng.choice(LATIN) + rng.choice([" ", " ", "-", " : "]) + name
        return name

    def fitting(self, thing):
        """A name that says what the thing is."""
        noun = THINGS[thing]["noun"]
        return self._decorate(f"{self._qualifier()} {noun}" if self.rng.random() < 0.6 else noun)

    def other(self):
        """A name that speaks of something else, or of nothing."""
        rng = self.rng
        if rng.random() < 0.45:
            name = rng.choice(NOUNS) if rng.random() < 0.35 else rng.choice(self.words)
            if rng.random() < 0.6:
                name = (self._qualifier() if rng.random() < 0.5 else rng.choice(self.words)) + " " + name
            if rng.random() < 0.4:
                compound = "".join(rng.choice(self.words).split()[0] for _ in range(rng.choice([1, 2]))) + rng.choice(self.words).split()[-1]
                name = compound + (f" {name}" if rng.random() < 0.6 else "")
        else:
            name = " ".join(self._syllables(rng.choice([1, 2, 2, 3, 3, 4, 5])) for _ in range(rng.choice([1, 2, 2, 3])))
            if rng.random() < 0.3:
                name += " " + rng.choice(NOUNS)
        return self._decorate(name[:40].strip())

    def name(self, thing):
        return self.fitting(thing) if self.rng.random() < 0.3 else self.other()

    def description(self):
        rng = self.rng
        text = " ".join(rng.choice(self.words) if rng.random() < 0.6 else self._syllables(rng.randrange(2, 5)) for _ in range(rng.randrange(3, 9)))
        return text + rng.choice([".", "", "다.", "!"])
