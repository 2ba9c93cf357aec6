"""What each rule does and, above all, what it leaves alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recaption.media.rules import NormaliseOptions, make_normaliser
from recaption.media.rules.links import is_card_number

DEFAULT = make_normaliser()


def clean(text: str, **options: object) -> str:
    if not options:
        return DEFAULT.run(text).text
    return make_normaliser(NormaliseOptions.model_validate(options)).run(text).text


EDITS = """
Fish &amp; chips => Fish & chips
Fish &amp;amp; chips => Fish & chips
Truong Son (&lt;i&gt;Truong&lt;/i&gt;) &copy; WWF => Truong Son (Truong) © WWF
lâ€™amour Ã©ternel => L’amour éternel
Jungle<br>Hawaiian dress => Jungle Hawaiian dress
<a href='http://x.com/y'>Yale</a> hospital => Yale hospital
A red <b>c</b>ar => A red car
A dog <img src="x.jpg" alt="cut off => A dog
[b]Bold[/b] move => Bold move
"22"" Frozen Balloon" => 22" Frozen Balloon
Boy`s coat => Boy's coat
It\\'s a dog => It's a dog
ＡＢＣ１２３ 手机 => ABC123 手机
漂亮,大方 => 漂亮，大方
Hello，world！ => Hello, world!
A dog (see http://x.com/dog) runs => A dog runs
A cat (http://en.wiki.org/Cat_(animal)) sleeps => A cat sleeps
More men at https://t.co/r67DX4Px0R => More men
Dog "http://x.com/a" runs => Dog " " runs
访问http://a.com/b看图 => 访问 看图
Contact jane.doe@example.com for prints => Contact for prints
Villa, call (415) 555-2671 => Villa
电话：13812345678 花店 => 花店
Card 4111 1111 1111 1111 on a desk => Card on a desk
IMG_2024.jpg =>
DSC_2481 =>
IMG_4663 =>
P1010023.JPG =>
Screenshot 2020-03-01 at 10.20.30 =>
微信图片_20200301120000 =>
IMG_1234 Sunset at the beach => Sunset at the beach
Taichung_Polaroid_20070131-2 => Taichung Polaroid
mount-everest-89590_1280 => Mount everest
inside-blue-mosque-istanbul-turkey => Inside blue mosque istanbul turkey
7672-eco-cotton-culottes-87-lfs.jpg => Eco cotton culottes 87 lfs
Scorching June 14 for Alabama.jpg => Scorching June 14 for Alabama
947a0d69900a Sorel Boot => Sorel Boot
Boston - 00201 => Boston
St. Tammany Oil Spill Forum 06.01.2010 029 => St. Tammany Oil Spill Forum 06.01.2010
Lake 20130512_134501 view => Lake view
Wallpaper 1920x1080 of a lake => Wallpaper of a lake
Canvas 12" x 16" of a lake => Canvas of a lake
连衣裙 尺寸：30x40厘米 红色 => 连衣裙 红色
Gold necklace, $75.00 => Gold necklace
Mirror - SAVE $100! => Mirror
Dress for only € 5 => Dress
红色连衣裙 现价299元 => 红色连衣裙
It's #MensHealthWeek => It's Mens Health Week
Rooster Royalty Free Stock Photos => Rooster
Tree on white — Stockfoto #7911579 => Tree on white
Stock Photo: Girls laying in grass => Girls laying in grass
A picture of some koi in Japan => Some koi in Japan
Red star, vector illustration eps10 => Red star
Blue dress - Etsy => Blue dress
Silver ring | Shop => Silver ring
Buy Diptyque Candle Online at johnlewis.com => Diptyque Candle
Red sweater free shipping => Red sweater
Pool icon vector image vector image => Pool icon
Dining Tables (View 16 of 20) => Dining Tables
红色连衣裙 包邮 正品 => 红色连衣裙
雪山风景高清大图 => 雪山风景
STAINLESS STEEL & GALVANIZED TRUCKS => Stainless Steel & Galvanized Trucks
NASA ROCKET ON THE LAUNCH PAD => NASA Rocket on the Launch Pad
A view w/ the dog => A view with the dog
A b&w pic of the cat => A black and white picture of the cat
The house u love => The house you love
灰常漂亮的家俱 => 非常漂亮的家具
A beatiful sunset over the vally => A beautiful sunset over the valley
the the dog on on a mat => The dog on a mat
Politics and Policy :  Politics and Policy => Politics and Policy
高清壁纸 高清壁纸 => 高清壁纸
I ♥ NY mug => I love NY mug
★ Elder Scrolls ★ => Elder Scrolls
A dog 🐶🎉 runs => A dog runs
A  red   car => A red car
Wow!!!! A dog => Wow! A dog
A dog , a cat => A dog, a cat
Captain,America,Ring => Captain, America, Ring
: Decorative clocks | => Decorative clocks
Workbook () => Workbook
好漂亮！！！ => 好漂亮！
a dog on a mat => A dog on a mat
zero\u200bwidth \u202eback\u202c => Zerowidth back
nul\x00 and \ud800 lone => Nul and lone
hidden\U000e0041\U000e0042 tag => Hidden tag
scan77.tif =>
Orange Ball - Stock Photo #37043704 - royalty free image, picture, download, HD, 4k wallpaper => Orange Ball
DH89 Dragon Rapide ZK-AHS, MOTAT, Auckland => DH89 Dragon Rapide ZK-AHS, MOTAT, Auckland
"""


@pytest.mark.parametrize("line", [line for line in EDITS.splitlines() if line])
def test_edit(line: str) -> None:
    before, _, after = line.partition("=>")
    assert clean(before.strip(" ")) == after.strip()


KEPT = """
Researchers at NYSE:ETR say
Alice In Chains:Sap
ListingId:259 on File:Alice
I <3 dogs
<完売> 画像
A < B and C > D
AT&T store
Crate&Barrel sofa
Version 3.7.5.8 on screen
James Bond 007
Bourton-On-The-Water, Cheltenham
Forget-me-not flowers
Mercedes 4x4 in mud
4x100m relay in Rio
9780340829752: The Gunslinger
Kathy Riley won $10,400 on "Jeopardy!" this month.
Over £60,000 donated in Spring Grant Programme!
1969 Volkswagen Fastback, June 14 1969
DH89 Dragon Rapide ZK-AHS, MOTAT, Auckland, New Zealand, 6 April 2010
UNDER ARMOUR Gametime Fleece
NASA and the FBI
Apple MacBook Pro (MR9Q2KS/A) SWE
Duran Duran on stage
He had had enough of Bora Bora
New York, New York skyline
Love Comes Softly (Love Comes Softly, #1)
Christmas Gift - Sister Gift - Sister Jewelry
Ruth M. Kirk. and Ruth B. Kirk.
iPhone 6 case
eBay logo
adidas Stan Smith
Kuća u Beogradu
Coffee mug - Barber Shop
Mirror Image of a lake
Shop Talk with Gregory Lalonde
Portrait of a man
Screenshot of Call Recorder PRO
C# code, #1 fan, #4 of 9
Code: 400-04986850
Lot 146, 34 Lawrencia Loop, WA 6536
Tim Recieve and the Teh brothers
-5 degrees outside
.NET logo
U.S.A. flag, e.g. this one
Transformers : L’âge de l’extinction
山水双挖 (landscape) by zhang fuyang
他们看看妈妈，高高兴兴。
喝稀饭的孩子，戴围脖
東京タワーの夜景、とても綺麗です。
ｶﾞ
서울의 아름다운 야경입니다
صورة قطة جميلة على الأريكة
می‌خواهم این عکس را
लाल कार सड़क पर है
क्‍ष की तस्वीर
แมวสีดำบนโซฟา
Красная машина на улице
Ένα κόκκινο αυτοκίνητο
תמונה של כלב
A shop sign reading FREE SHIPPING
A red banner that says buy now
"""
ALLOWED = {"ｶﾞ": "ガ", "adidas Stan Smith": "Adidas Stan Smith"}


@pytest.mark.parametrize("text", [line for line in KEPT.splitlines() if line])
def test_text_that_is_left_alone(text: str) -> None:
    assert clean(text) == ALLOWED.get(text, text)


@pytest.mark.parametrize(
    ("options", "before", "after"),
    [
        ({"personal_data": "mask"}, "Write to a@b.org", "Write to [email]"),
        ({"personal_data": "tag"}, "Write to a@b.org", "Write to a@b.org"),
        ({"dates": "drop"}, "Brooklyn Bridge, 6 April 2010", "Brooklyn Bridge"),
        ({"dates": "drop"}, "Opening on May 3, 2021 in Philadelphia", "Opening in Philadelphia"),
        ({"dates": "drop"}, "2020年3月5日 上海外滩", "上海外滩"),
        ({"dates": "keep"}, "Lake 20130512 view", "Lake 20130512 view"),
        ({"emoji": "keep"}, "A dog 🐶", "A dog 🐶"),
        ({"emoji": "name"}, "A dog 🎉", "A dog party popper"),
        ({"capitals": "lower"}, "BIG RED CAR", "Big red car"),
        ({"straight_quotes": True}, "The “big” dog’s", 'The "big" dog\'s'),
        ({"final_stop": True}, "a dog on a mat", "A dog on a mat."),
        ({"final_stop": True}, "Red dog", "Red dog"),
        ({"rules": {"shouting": False}}, "BIG RED CAR", "BIG RED CAR"),
    ],
)
def test_policy(options: dict[str, object], before: str, after: str) -> None:
    assert clean(before, **options) == after


def test_personal_data_is_flagged_by_kind_and_never_by_content() -> None:
    result = DEFAULT.run("Mail a@b.org, card 4111 1111 1111 1111")
    assert result.flags == {"personal_data": "email, card"}


def test_words_seen_in_the_picture_stay_as_they_are() -> None:
    protected = frozenset({"recieve", "big", "pics"})
    assert DEFAULT.run("a sign: recieve pics", protected).text == "A sign: recieve pics"
    assert DEFAULT.run("BIG RED CAR", protected).text == "BIG Red Car"


@pytest.mark.parametrize("digits", ["4111111111111111", "5500-0000-0000-0004", "3782 822463 10005"])
def test_card_numbers(digits: str) -> None:
    assert is_card_number(digits)
    assert not is_card_number(digits[:-1] + str((int(digits[-1]) + 1) % 10))


@given(st.text(alphabet="0123456789 -", max_size=24))
def test_card_check_never_fails(digits: str) -> None:
    assert is_card_number(digits) in (True, False)


def test_languages_nobody_asked_for_are_flagged() -> None:
    normaliser = make_normaliser(NormaliseOptions(languages=("zh", "ja")))
    assert normaliser.run("Красная машина на улице").flags == {"language": "ru"}
    assert normaliser.run("一只猫在沙发上").flags == {}


def test_latin_languages_are_told_apart_by_the_library() -> None:
    pytest.importorskip("lingua")
    normaliser = make_normaliser(NormaliseOptions(languages=("en",)))
    assert normaliser.run("Das ist ein sehr schönes altes Haus am See").flags == {"language": "de"}
    assert normaliser.run("A very beautiful old house beside the lake").flags == {}
